"""Notes speak to people who look at pictures: what was done and what will be seen, in plain words."""

import re
import sys
from dataclasses import fields, replace

import pytest

import grainkit as gk
from grainkit.adapt.bounds import Settings
from grainkit.adapt.rounds import Miss
from grainkit.adapt.words import changes, encode, encodes, missed_words
from grainkit.hosts.cli import command as cli
from grainkit.machine import system
from grainkit.picture.color import Color, Matrix, Primaries, Siting, assumed_words
from grainkit.recipe.targets import Proxy, Targets, label
from tests.drawn import still

JPEG = Proxy("jpeg", quality=75)
CLIP = (
    Proxy("x264", kbps=600, width=720, height=1280), Proxy("x264", kbps=1500, width=720, height=1280),
    Proxy("x264", crf=30), Proxy("vp9", kbps=600),
)  # fmt: skip
#: Names of parameters, measures and encoders, which nobody has to know.
INTERNAL = re.compile(r"\w+_\w+|\brho\b|p999|cambi|\bq75\b|x264|x265|jpeg|patches|target", re.ASCII)


@pytest.mark.parametrize(
    ("recipe", "proxies", "said"),
    [
        ("social/instagram-feed", [JPEG], "Instagram's JPEG"),
        ("social", [JPEG], "the platform's JPEG"),
        ("mine", [JPEG, Proxy("jpeg", quality=65)], "the platform's JPEG (quality 75, quality 65)"),
        ("social/reel", CLIP[:3], "Instagram's H.264 (600 kb/s, 1500 kb/s, CRF 30)"),
        ("social/youtube", CLIP[2:], "YouTube's H.264 and VP9"),
        ("video/av1", [Proxy("av1", crf=37)], "the platform's AV1"),
    ],
)
def test_encodes_are_named_by_platform_and_codec(recipe, proxies, said):
    assert encodes(recipe, proxies) == said


def test_one_encode_is_told_from_its_twins():
    assert encode("social/x-video", CLIP[0], CLIP) == "X's H.264 at 600 kb/s"
    assert encode("social/x-video", CLIP[2], CLIP) == "X's H.264 at CRF 30"
    assert encode("social/x-video", CLIP[3], CLIP) == "X's VP9"


def test_every_platform_preset_has_its_platforms_name():
    for name in gk.preset_names():
        if name.startswith("social/"):
            first = encodes(name, [JPEG]).partition("'s ")[0]
            assert gk.load_recipe(name).description.startswith(first)


ASKED = Settings(2.0, 1.2, 0.90, 0.9804)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"strength": 1.885}, "grain 1.9 instead of 2 codes"),
        ({"size": 1.44}, "grain of 1.4 instead of 1.2 px"),
        ({"carrier": "locked"}, "grain moving with the picture (locked) instead of new in every frame"),
        ({"knee": 0.86}, "highlights rolled off from 86 instead of 90 % of white"),
        ({"ceiling": 0.9686}, "white at 247 instead of 250 of 255"),
        ({"patches": 2}, "highlights pulled down in 2 passes"),
        ({"patches": 1}, "highlights pulled down in 1 pass"),
    ],
)
def test_changes_are_told_in_plain_words(found, said):
    assert changes(ASKED, replace(ASKED, **found)) == [said]


def test_whatever_changes_is_told():
    other = Settings(1.0, 2.0, 0.8, 0.9, 3, "locked")
    assert len(changes(ASKED, other)) == len(fields(Settings))
    assert changes(ASKED, ASKED) == []


def miss(target, value, limit, proxy=JPEG):
    return missed_words(Miss(target, value, limit, 0.1, label(proxy)), "social/instagram-feed", [JPEG, *CLIP])


def test_what_is_missed_is_told_as_it_will_look():
    assert miss("highlights_share", 0.0071, 0.003) == (
        "0.71 % of the highlights will still clip after Instagram's JPEG (limit 0.3 %)"
    )
    assert miss("rho", 0.41, 0.6, CLIP[0]) == (
        "41 % of the grain will be left after Instagram's H.264 at 600 kb/s (at least 60 % is asked)"
    )
    assert miss("hue_degrees", 3.002, 3.0) == (
        "the hue of highlights will turn by 3.002 degrees after Instagram's JPEG (limit 3)"
    )
    assert miss("p999", 261.6, 255.0).startswith(
        "the brightest highlights will reach 262 of 255 after Instagram's JPEG"
    )


@pytest.mark.parametrize("target", [f.name for f in fields(Targets)])
def test_every_target_has_a_sentence_without_internal_words(target):
    limit = getattr(Targets(), target)
    said = miss(target, limit * (0.9 if target == "rho" else 1.1), limit)
    assert "limit" in said or "at least" in said
    assert not INTERNAL.search(said), said


def test_a_finished_still_tells_its_notes_in_plain_words(tmp_path):
    report = gk.finish(still(tmp_path / "a.png", 320, 240), tmp_path / "b.jpg", preset="social/instagram-feed")
    assert any(note.startswith("adapted to Instagram's JPEG: ") for note in report.notes)
    for note in report.notes:
        assert not INTERNAL.search(note), note


@pytest.mark.parametrize(
    ("assumed", "said"),
    [
        ((), ""),
        (
            ("matrix", "primaries", "transfer", "range", "siting"),
            "the file does not say its colours; taken for BT.709, limited range, colour samples on the left of their "
            "pixels, as is usual",
        ),
        (("range",), "the file does not say all about its colours; taken for limited range, as is usual"),
        (("primaries",), "the file does not say its colours; taken for BT.709, as is usual"),
    ],
)
def test_colours_that_a_file_does_not_tell(assumed, said):
    assert assumed_words(Color(assumed=assumed)) == said


def test_rare_colours_keep_their_names():
    odd = Color(Matrix.FCC, Primaries.FILM, siting=Siting.BOTTOM, assumed=("matrix", "primaries", "siting"))
    assert assumed_words(odd).endswith("taken for FCC, FILM, colour samples bottom, as is usual")


# The card that is not there


@pytest.mark.parametrize("has_driver", [True, False])
def test_why_no_card_was_used_is_told_only_beside_a_driver(tmp_path, monkeypatch, capsys, has_driver):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(system, "has_nvidia_driver", lambda: has_driver)
    still(tmp_path / "a.png")
    assert cli.main(["finish", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--no-adapt"]) == 0
    assert ("needs CuPy" in capsys.readouterr().err) == has_driver
    assert gk.finish(tmp_path / "a.png", tmp_path / "c.png", adapt=False).chosen_because.startswith("the CUDA backend")
    cli.main(["doctor"])
    assert "needs CuPy" in capsys.readouterr().out


def test_a_driver_is_known_by_what_it_leaves_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(system, "DRIVER_SIGNS", (str(tmp_path / "nvidiactl"),))
    assert not system.has_nvidia_driver()
    (tmp_path / "nvidiactl").touch()
    assert system.has_nvidia_driver()
    monkeypatch.setattr(system, "DRIVER_SIGNS", ())
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert system.has_nvidia_driver()
