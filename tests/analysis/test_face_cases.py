"""Unusual pictures and faces: a sensible result, no error, no warning, as stills and as clips of a few frames."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

import grainkit as gk
from grainkit.effects.skin_texture.clip_skin import ClipSkin
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from samples.draw import codes, limited_420, portrait

pytestmark = pytest.mark.slow

ONLY = ("highlight_guard.strength=0", "cinema_grain.strength=0", "skin_texture.strength=1")


def head(height: int) -> np.ndarray:
    """The drawn portrait, its face about half as high as the picture."""
    return portrait(height * 3 // 4, height)


def crowd() -> np.ndarray:
    """Twenty faces, each 83 px wide."""
    one = cv2.resize(head(400), (192, 256), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.tile(one, (4, 5, 1)))


def changed(rgb: np.ndarray) -> np.ndarray:
    """Where the still is touched."""
    still = codes(rgb, 8)
    return (gk.finish_array(still, preset="social", settings=ONLY, seed=1) != still).any(-1)


def terms(pictures) -> list:
    stage = ClipSkin(SkinTexture(strength=1.0), 1)
    return [stage.textured(Frame(limited_420(p), Color(), index=i)).term for i, p in enumerate(pictures)]


@pytest.mark.parametrize("size", [(16, 16), (1, 64), (64, 1), (1, 1), (2, 300), (40, 40)], ids=str)
@pytest.mark.parametrize("value", [0.0, 0.7, 1.0])
def test_flat_pictures_of_any_size_keep_every_bit(size, value):
    assert not changed(np.full((*size, 3), value, np.float32)).any()


@pytest.mark.parametrize("size", [(16, 16), (2, 64), (64, 2), (2, 2), (40, 40)], ids=str)
def test_flat_and_tiny_clips_get_nothing(size):
    assert terms([np.full((*size, 3), v, np.float32) for v in (0.0, 0.0, 0.7)]) == [None] * 3


def test_black_frames_within_a_shot_are_no_error():
    picture = head(320)
    found = terms([picture, np.zeros_like(picture), picture, picture])
    # The first one after black may still be on its way up.
    assert [t is not None for t in found] == [True, False, False, True]


def test_twenty_faces_all_get_texture():
    picture = crowd()
    touched = changed(picture)
    assert touched.reshape(4, 256, 5, 192).any((1, 3)).all()
    # On a clip what a face lacks is told from all of it, and a small one may lack nothing; all are found.
    (term,) = terms([picture])
    assert term.luma.shape[0] > 3 * 256
    assert term.luma.shape[1] > 4 * 192


@pytest.mark.parametrize("part", [np.s_[:, :120], np.s_[:, 120:], np.s_[:150], np.s_[160:]], ids=str)
def test_half_a_face_at_the_border_is_no_error(part):
    picture = np.ascontiguousarray(head(320)[part])
    assert changed(picture).mean() < 0.6
    for term in terms([picture] * 3):
        assert term is None or (term.luma.shape[0] <= picture.shape[0] and term.luma.shape[1] <= picture.shape[1])


def test_a_face_twenty_px_high_gets_nothing():
    picture = np.full((240, 320, 3), 0.2, np.float32)
    small = cv2.resize(head(400), (30, 40), interpolation=cv2.INTER_AREA)
    picture[100:140, 150:180] = small
    assert not changed(picture).any()
    assert terms([picture] * 3) == [None] * 3


def test_a_face_three_thousand_px_high_takes_bounded_memory():
    """Peak memory of a process that textures a still of 3600 x 4800 px: in bytes per px of it, beside the start."""
    script = (
        "import resource, sys, cv2, numpy as np, grainkit as gk\n"
        "from samples.draw import codes, portrait\n"
        "still = cv2.resize(codes(portrait(600, 800), 8), (3600, 4800), interpolation=cv2.INTER_CUBIC)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "settings = ['highlight_guard.strength=0', 'cinema_grain.strength=0', 'skin_texture.strength=1']\n"
        "out = gk.finish_array(still, preset='social', settings=settings, seed=1)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print((out != still).any(-1).mean(), (after - before) * 1024 / (3600 * 4800))\n"
    )
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, capture_output=True, text=True)
    touched, per_px = (float(v) for v in ran.stdout.split())
    assert touched > 0.05
    assert per_px < 120
    assert ran.stderr == ""
