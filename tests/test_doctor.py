"""What the doctor finds, and that each complaint names a remedy."""

import json

from grainkit import doctor
from grainkit.backends import open_backend
from grainkit.errors import BackendUnavailable


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
