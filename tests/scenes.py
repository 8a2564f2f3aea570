"""A picture that a camera can pan over."""

from __future__ import annotations

import cv2
import numpy as np

WIDTH, HEIGHT = 512, 384


def scene(seed=0):
    """Something to hold on to, larger than a frame."""
    noise = np.random.default_rng(seed).normal(0, 1, (HEIGHT + 200, WIDTH + 200)).astype(np.float32)
    out = sum(cv2.GaussianBlur(noise, (0, 0), s) * s for s in (2, 5, 12))
    return 110 + 35 * out / out.std()


def cut(picture, x, y):
    """A frame's worth of the picture from (x, y) on."""
    move = np.float32([[1, 0, -x], [0, 1, -y]])
    return cv2.warpAffine(picture, move, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
