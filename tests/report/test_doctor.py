"""What the doctor finds, and that each complaint names a remedy."""

import json
import sys
from dataclasses import replace
from datetime import date

import av
import pytest

from grainkit.backends import open_backend
from grainkit.errors import BackendUnavailable, OutputError
from grainkit.hosts.cli import command as cli
from grainkit.io.clip_sink import VideoSink
from grainkit.io.clip_source import VideoSource
from grainkit.io.ffmpeg import ENCODERS
from grainkit.recipe import preset_age
from grainkit.recipe.presets import load_recipe, preset_names
from grainkit.recipe.source_profile import source_names
from grainkit.report import clip_check, doctor


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
    monkeypatch.setattr("grainkit.io.ffmpeg.probe_encoders", lambda: {"libx265": False})
    found = {f.what: f for f in doctor.examine()}["encoder libx265"]
    assert not found.works
    assert "libx265" in found.remedy


def test_every_encoder_is_tried_and_its_clip_decoded(monkeypatch):
    assert set(clip_check.TRIALS) == set(ENCODERS) - {"aac"}  # which is no encoder of pictures
    opened = []
    whole = VideoSource.__init__

    def opening(self, path, **options):
        opened.append(path)
        whole(self, path, **options)

    monkeypatch.setattr(VideoSource, "__init__", opening)
    found = {f.what: f for f in doctor.examine()}
    assert [found[f"encoder {name}"].detail for name in clip_check.TRIALS] == ["encodes, and decodes again"] * 7
    assert len(opened) == 7
    assert not any(path.exists() for path in opened)


def test_a_pyav_that_cannot_read_is_said_in_one_line_with_the_versions_that_can(monkeypatch, capsys):
    """As every clip failed when PyAV 19 took away an argument, and the doctor said that all was well."""

    def open_of_another_version(file, mode=None, **options):
        if mode == "r" and isinstance(file, str):
            raise TypeError("open() got an unexpected keyword argument 'metadata_errors'")
        return whole(file, mode, **options)

    whole = av.open
    monkeypatch.setattr(av, "open", open_of_another_version)
    assert cli.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if "encoder libx264" in line)
    assert lines[at].startswith("no  ")
    assert "while decoding a tiny clip of libx264, " in lines[at]
    assert "failed with TypeError: open() got an unexpected keyword argument 'metadata_errors'" in lines[at]
    assert "pip install --force-reinstall 'av" in lines[at + 1]


def test_a_pyav_that_cannot_be_loaded_is_a_finding(monkeypatch, capsys):
    for name in [
        name
        for name in sys.modules
        if name.startswith("grainkit.io.clip_") or name in ("grainkit.io.ffmpeg", "grainkit.report.clip_check")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    assert cli.main(["doctor", "--json"]) == 1
    found = {f["what"]: f for f in json.loads(capsys.readouterr().out)["findings"]}
    assert not found["ffmpeg"]["works"]
    assert "while loading PyAV, " in found["ffmpeg"]["detail"]
    assert found["backend cpu"]["works"]


@pytest.mark.parametrize(("change", "said"), [(lambda frames: frames[1:], "2 came back"), (reversed, "% off")])
def test_frames_that_come_back_other_than_they_went_in_are_noticed(monkeypatch, change, said):
    whole = VideoSource.__iter__

    def changed(self):
        frames = list(whole(self))
        if said == "% off":
            planes = [(plane // 2 for plane in frame.planes) for frame in frames]
            frames = [frame.with_planes(tuple(p), frame.color) for frame, p in zip(frames, planes, strict=True)]
        return iter(list(change(frames)))

    monkeypatch.setattr(VideoSource, "__iter__", changed)
    found = {f.what: f for f in doctor.examine()}["encoder ffv1"]
    assert not found.works
    assert found.broken
    assert said in found.detail


def test_without_a_temporary_folder_no_clip_is_tried(monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(doctor.tempfile, "gettempdir", none)
    found = {f.what: f for f in doctor.examine()}
    assert "TMPDIR" in found["temporary folder"].remedy
    assert "encoder libx264" not in found


def test_a_temporary_folder_that_is_full_is_not_pyavs_fault(monkeypatch):
    def full(self, frame):
        raise OutputError("tiny.mp4: the disk is full")

    monkeypatch.setattr(VideoSink, "write", full)
    found = {f.what: f for f in doctor.examine()}["encoder libx264"]
    assert "disk is full" in found.detail
    assert "TMPDIR" in found.remedy


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
