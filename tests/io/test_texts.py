"""Generators' texts stand in JPEG and WebP where A1111 and ComfyUI read them, and come back out."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import grainkit as gk
from grainkit.io import exif as exif_block
from grainkit.io import jpeg
from grainkit.io.base import StillMetadata
from grainkit.io.decode_still import read_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.encode_still import lost_metadata
from grainkit.io.texts import in_exif

OFF = ("skin_texture.strength=0", "highlight_guard.strength=0", "cinema_grain.strength=0", "delivery.fit=keep")
PROMPT = '{"3": {"class_type": "KSampler", "inputs": {"seed": 7, "text": "mädchen: 猫"}}}'
WORKFLOW = '{"last_node_id": 9, "nodes": [], "extra": {"ds": {"scale": 1.0}}}'
PARAMETERS = "a portrait, 猫 😀\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"


def drawn(path, texts, exif=None, **extra):
    told = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        told.add_itxt(keyword, text) if not text.isascii() else told.add_text(keyword, text)
    rgb = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(rgb).save(path, pnginfo=told, **({} if exif is None else {"exif": exif.tobytes()}), **extra)
    return path


def finished(source, out):
    report = gk.finish(source, out, preset="social", settings=OFF, adapt=False)
    return out, " ".join(report.notes)


def opened(path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def exif_of(path) -> bytes:
    exif = opened(path).info["exif"]
    return exif[6:] if exif.startswith(b"Exif\0\0") else exif


def comfys(exif: bytes) -> dict[str, str]:
    """What ComfyUI's front end makes of a WebP's EXIF: text tags of the main directory, cut at the first colon."""
    order = "<" if exif[:2] == b"II" else ">"
    at = struct.unpack_from(order + "I", exif, 4)[0]
    found = {}
    for entry in range(at + 2, at + 2 + 12 * struct.unpack_from(order + "H", exif, at)[0], 12):
        _, kind, count, where = struct.unpack_from(order + "HHII", exif, entry)
        if kind == 2:
            key, colon, value = exif[where : where + count - 1].decode("utf-8").partition(":")
            found |= {key: value} if colon else {}
    return found


def a1111s(path) -> str:
    """What A1111 reads by piexif: the UserComment after its eight bytes of character code, UTF-16 big-endian."""
    comment = opened(path).getexif().get_ifd(0x8769)[0x9286]
    assert comment[:8] == b"UNICODE\0"
    return comment[8:].decode("utf-16-be")


@pytest.mark.parametrize("name", ["o.jpg", "o.webp"])
def test_texts_stand_where_their_tools_look(name, tmp_path):
    source = drawn(tmp_path / "a.png", {"prompt": PROMPT, "workflow": WORKFLOW, "parameters": PARAMETERS})
    out, notes = finished(source, tmp_path / name)
    assert comfys(exif_of(out)) == {"prompt": PROMPT, "workflow": WORKFLOW}
    assert a1111s(out) == PARAMETERS
    assert "left out" not in notes


@pytest.mark.parametrize("name", ["o.jpg", "o.webp"])
@pytest.mark.parametrize("order", ["II", "MM"])
def test_the_pictures_own_exif_keeps_every_tag(name, order, tmp_path):
    exif = Image.Exif()
    exif.endian = "<" if order == "II" else ">"
    exif[271], exif[272], exif[315], exif[282] = "Nikon", "D850", "somebody", 300.0
    exif.get_ifd(0x8769).update({33434: 0.004, 36867: "2024:01:02 03:04:05", 37500: bytes(range(200))})
    exif.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
    texts = {"prompt": PROMPT, "workflow": WORKFLOW, "parameters": PARAMETERS, "Title": "x"}
    source = drawn(tmp_path / "a.png", texts, exif)
    out, notes = finished(source, tmp_path / name)
    made, given = opened(out).getexif(), opened(source).getexif()
    for tag in (271, 272, 315):
        assert made[tag] == given[tag]
    for directory in (0x8769, 0x8825):
        ours, theirs = made.get_ifd(directory), given.get_ifd(directory)
        assert {tag: ours[tag] for tag in theirs} == dict(theirs)
    assert comfys(exif_of(out)) == {"prompt": PROMPT, "workflow": WORKFLOW, "2024": "x"} or comfys(exif_of(out)) == {
        "prompt": PROMPT, "workflow": WORKFLOW,
    }  # fmt: skip
    assert a1111s(out) == PARAMETERS
    assert "names a camera: prompt is in ImageDescription" in notes
    assert "workflow is in DocumentName" in notes
    assert "no text chunks: Title left out" in notes


def test_a_comment_of_the_pictures_own_stands(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0my words"
    out, notes = finished(drawn(tmp_path / "a.png", {"parameters": PARAMETERS}, exif), tmp_path / "o.jpg")
    assert opened(out).getexif().get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0my words"
    assert "UserComment of its own" in notes
    assert "parameters left out" in notes
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + b" " * 40  # as cameras leave it
    out, notes = finished(drawn(tmp_path / "b.png", {"parameters": PARAMETERS}, exif), tmp_path / "b.jpg")
    assert a1111s(out) == PARAMETERS


def test_what_a_jpeg_has_no_room_for_is_said_and_the_rest_goes(tmp_path):
    texts = {"workflow": '{"a": "' + "x" * 70000 + '"}', "prompt": PROMPT, "parameters": PARAMETERS}
    out, notes = finished(drawn(tmp_path / "a.png", texts), tmp_path / "o.jpg")
    assert comfys(exif_of(out)) == {"prompt": PROMPT}
    assert a1111s(out) == PARAMETERS
    assert "workflow of 70,009 characters does not fit into an EXIF of" in notes
    assert "no text chunks: workflow left out" in notes
    out, notes = finished(tmp_path / "a.png", tmp_path / "o.webp")
    assert comfys(exif_of(out))["workflow"] == texts["workflow"]


@pytest.mark.parametrize("name", ["o.jpg", "o.webp"])
def test_texts_come_back_into_a_png(name, tmp_path):
    texts = {"prompt": PROMPT, "workflow": WORKFLOW, "parameters": PARAMETERS}
    out, _ = finished(drawn(tmp_path / "a.png", texts), tmp_path / name)
    back, _ = finished(out, tmp_path / "back.png")
    assert dict(read_still(back).metadata.text) == texts
    finished(back, tmp_path / "again.png")
    assert len(read_still(tmp_path / "again.png").metadata.text) == 3


def test_a_photographers_comment_is_no_parameters(tmp_path):
    exif = Image.Exif()
    exif[270] = "a note: with a colon"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "Hello".encode("utf-16-le")
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg", exif=exif)
    finished(tmp_path / "a.jpg", tmp_path / "o.png")
    assert read_still(tmp_path / "o.png").metadata.text == ()


def test_a_text_that_is_there_twice_goes_once_and_damage_begins_afresh():
    metadata = StillMetadata(exif=b"II*\0junk", text=(("prompt", "1"), ("prompt", "2"), ("Software", "x")))
    placed = in_exif(metadata, jpeg.MAX_EXIF)
    assert comfys(placed.exif) == {"prompt": "1"}
    assert placed.left == ("prompt", "Software")
    assert lost_metadata(StillDelivery("jpeg"), metadata) == ("JPEG has no text chunks: prompt, Software left out",)


def test_offsets_of_a_block_still_hold_when_tags_are_added():
    exif = Image.Exif()
    exif[315] = "an artist with a long name"
    block = exif.tobytes()
    block = block[6:] if block.startswith(b"Exif\0\0") else block
    more = exif_block.with_tags(block, {271: b"prompt:1"}, b"UNICODE\0\0a")
    assert more[8 : len(block)] == block[8:]
    assert exif_block.texts(more)[315] == b"an artist with a long name"
    assert exif_block.user_comment(more) == b"UNICODE\0\0a"
    again = Image.Exif()
    again.load(more)
    assert again[271] == "prompt:1"
    assert io.BytesIO(more).getvalue() == more


def test_a_note_names_no_more_than_ten_of_thousands_of_keys():
    texts = tuple((f"key{number}", "x") for number in range(16_000))
    (note,) = lost_metadata(StillDelivery(container="jpeg"), StillMetadata(text=texts))
    assert "key9 and 15990 more left out" in note
    assert "key10" not in note
