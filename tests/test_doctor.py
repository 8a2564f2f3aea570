"""What the doctor finds, and that each complaint names a remedy."""

import json
from dataclasses import replace
from datetime import date

import pytest

from grainkit import doctor, preset_age
from grainkit.backends import open_backend
from grainkit.errors import BackendUnavailable
from grainkit.recipe import load_recipe, preset_names
from grainkit.source_profile import source_names


def test_every_finding_is_said_and_every_complaint_has_a_remedy():
    findings = {f.what: f for f in doctor.examine()}
    assert findings["backend cpu"].works
    assert "threads" in findings["backend cpu"].detail
    assert findings["encoder libx264"].works
    for f in findings.values():
        assert f.works == (f.remedy == ""), f
        assert f.detail
    json.dumps([f.as_mapping() for f in findings.values()])


def test_a_backend_that_cannot_run_is_a_finding_not_a_failure(monkeypatch):
    def refusing(name):
        if name == "cuda":
            raise BackendUnavailable("no driver; install one")
        return open_backend(name)

    monkeypatch.setattr(doctor, "open_backend", refusing)
    found = {f.what: f for f in doctor.examine()}["backend cuda"]
    assert (found.works, found.remedy) == (False, "no driver; install one")


def test_a_missing_encoder_has_a_remedy(monkeypatch):
    import grainkit.io.video

    monkeypatch.setattr(grainkit.io.video, "probe_encoders", lambda: {"libx265": False})
    found = {f.what: f for f in doctor.examine()}["encoder libx265"]
    assert not found.works
    assert "libx265" in found.remedy


def test_a_folder_without_leave_to_write_has_a_remedy(monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    found = {f.what: f for f in doctor.examine()}["this folder"]
    assert not found.works
    assert "-o" in found.remedy


@pytest.mark.parametrize(
    ("checked", "today", "old"),
    [
        ("2026-11-01", date(2027, 11, 1), False),
        ("2026-11-01", date(2027, 11, 2), True),
        ("2024-02-29", date(2025, 2, 28), False),
        ("2024-02-29", date(2025, 3, 1), True),
        ("", date(2999, 1, 1), False),
    ],
)
def test_presets_whose_facts_are_older_than_a_year_are_named(monkeypatch, checked, today, old):
    made = replace(load_recipe("social/x"), checked_on=checked)
    monkeypatch.setattr(preset_age, "preset_names", lambda: ["social/x"])
    monkeypatch.setattr(preset_age, "load_recipe", lambda name: made)
    monkeypatch.setattr(preset_age, "shipped", lambda folder: {})
    found = {f.what: f for f in doctor.examine(today)}["presets"]
    assert found.works == (not old)
    assert (f"social/x ({checked})" in found.detail) == old


def test_every_preset_and_source_says_when_it_was_checked():
    assert set(preset_age.outdated(date(2999, 1, 1))) == {*preset_names(), *(f"source {n}" for n in source_names())}
