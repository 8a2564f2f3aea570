"""What a JPEG says in its comments."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

import grainkit as gk
from grainkit.io.jpeg_comments import comments


def _jpeg(comment: bytes) -> bytes:
    room = io.BytesIO()
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(room, "JPEG", comment=comment)
    return room.getvalue()


def test_a_comment_goes_into_a_png_and_is_named_where_it_is_lost(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(_jpeg("42 steps, Äpfel".encode()))
    off = ["skin_texture.strength=0"]
    gk.finish(path, tmp_path / "o.png", preset="video/sequence", settings=off)
    with Image.open(tmp_path / "o.png") as image:
        image.load()
        assert image.text["comment"] == "42 steps, Äpfel"
    report = gk.finish(path, tmp_path / "o.tif", preset="video/sequence", settings=off)
    assert "42 steps, Äpfel".encode() in (tmp_path / "o.tif").read_bytes() or any("comment" in n for n in report.notes)


def test_comments_of_any_bytes_are_read():
    assert list(comments(_jpeg(b"caf\xe9\0"))) == ["caf\ufffd"]
    assert list(comments(_jpeg(b" \0"))) == []
    assert list(comments(b"\xff\xd8\xff\xff\xfe\0\4ab\xff\xd9")) == ["ab"]
    assert list(comments(b"\xff\xd8\xff\xfe")) == []
