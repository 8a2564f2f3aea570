"""What is neither still nor clip gets one line that says what it is; no other library's line stands beside it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from grainkit.errors import InputError
from grainkit.io import open_source
from grainkit.io.decode_still import read_still


def saved(kind: str) -> bytes:
    room = io.BytesIO()
    Image.new("RGB", (16, 16), (9, 200, 30)).save(room, kind)
    return room.getvalue()


def boxes(*brands: bytes) -> bytes:
    return (
        (8 + 4 * len(brands) + 4).to_bytes(4, "big") + b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:]) + bytes(99)
    )


def raw(kind: str) -> bytes:
    """A camera's file as most make it: a preview by the main directory, what the sensor saw in a SubIFD."""
    room = io.BytesIO()
    with tifffile.TiffWriter(room) as file:
        file.write(np.zeros((8, 8, 3), np.uint8), photometric="rgb", subfiletype=1, subifds=1)
        file.write(np.zeros((16, 16), np.uint16), photometric="cfa")
    return room.getvalue()


WORKFLOW = json.dumps({"id": "1", "last_node_id": 9, "nodes": [{"id": 1, "type": "KSampler"}] * 200}).encode()
API = json.dumps({"3": {"inputs": {"seed": 1}, "class_type": "KSampler"}}).encode()
DOWNLOADED = "<!DOCTYPE html>\n<html><head><title>Anmelden – é</title></head></html>" * 40
FOREIGN: dict[str, tuple[bytes, str]] = {
    "html": (DOWNLOADED.encode(), "holds a web page .HTML.; download the file itself"),
    "html cut": (DOWNLOADED.replace("é", "é" * 1500).encode(), "holds a web page"),
    "html wide": (DOWNLOADED.encode("utf-16"), "holds a web page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n",
            "holds a Git LFS pointer.*git lfs pull"),
    "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "holds an SVG drawing; export"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "holds XML"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "holds a PDF document; export the page"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "holds PostScript"),
    "psd": (b"8BPS\0\1" + bytes(60), "holds a Photoshop document; export a flattened copy"),
    "xcf": (b"gimp xcf v011\0" + bytes(60), "holds a GIMP project"),
    "heic": (boxes(b"heic", b"mif1"), "holds HEIC; stills are"),
    "heif avif": (boxes(b"mif1", b"mif1", b"avif"), "holds AVIF"),
    "heif": (boxes(b"mif1", b"miaf"), "holds HEIF"),
    "cr3": (boxes(b"crx ", b"isom"), "holds a camera's raw file .CR3.; develop it"),
    "cr2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(60), "holds a camera's raw file .CR2.; develop it"),
    "nef": (raw("nef"), "is a camera's raw file; develop it"),
    "raf": (b"FUJIFILMCCD-RAW 0201" + bytes(60), "holds a camera's raw file .RAF."),
    "orf": (b"IIRO\x08\0\0\0" + bytes(60), "holds a camera's raw file .ORF."),
    "rw2": (b"IIU\0\x18\0\0\0" + bytes(60), "holds a camera's raw file .RW2."),
    "gif": (saved("GIF"), "holds GIF"),
    "bmp": (saved("BMP"), "holds BMP"),
    "ico": (saved("ICO"), "holds an icon"),
    "jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "holds JPEG 2000"),
    "jxl": (b"\xff\x0a" + bytes(60), "holds JPEG XL"),
    "ppm": (saved("PPM"), "holds a Netpbm picture"),
    "tga": (saved("TGA"), "holds TGA"),
    "zip": (b"PK\3\4" + bytes(60), "holds a ZIP archive; unpack it"),
    "tar": (b"a.png".ljust(257, b"\0") + b"ustar\x0000" + bytes(300), "holds a tar archive"),
    "workflow": (WORKFLOW, "holds a ComfyUI workflow .JSON.; give the picture"),
    "prompt": (API, "holds a ComfyUI workflow"),
    "json": (b'{"error": "rate limited"}', "holds JSON"),
    "text": (b"a prompt, and nothing else\n", "holds plain text"),
    "weights": (b"\x40\0\0\0\0\0\0\0" + b'{"__metadata__":{}}' + bytes(60), "holds model weights"),
    "zeros": (bytes(5000), "holds nothing but zeros"),
    "playlist": (b"#EXTM3U\n#EXTINF:9,\na.ts\n", "holds a list of other files"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("ending", [".png", ".jpg", ".tga", ".mp4"])
def test_what_it_is_and_what_to_do(kind: str, ending: str, tmp_path: Path) -> None:
    data, said = FOREIGN[kind]
    path = tmp_path / f"x{ending}"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said) as error:
        open_source(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: ")


def test_what_nobody_knows_is_named_after_its_ending(tmp_path: Path) -> None:
    noise = np.random.default_rng(6).integers(128, 256, 900).astype(np.uint8).tobytes()
    for name, said in (
        ("a.png", "holds no picture that grainkit knows; stills are PNG"),
        ("a.heic", "holds no picture that grainkit knows"),
        ("a.tga", "holds TGA; stills are"),
        ("a.mp4", "is not .*clip|is not of a kind that is read: clips are"),
        ("a", "is not .*clip|is not of a kind that is read: clips are"),
    ):
        (tmp_path / name).write_bytes(noise)
        with pytest.raises(InputError, match=said):
            open_source(tmp_path / name)


def test_a_raw_file_is_told_by_its_ending_where_nothing_else_tells(tmp_path: Path) -> None:
    for name, said in (("a.ARW", "holds a camera's raw file .ARW.; develop it"), ("a.tif", "")):
        (tmp_path / name).write_bytes(saved("TIFF"))
        if said:
            with pytest.raises(InputError, match=said):
                open_source(tmp_path / name)
        else:
            assert open_source(tmp_path / name).info.kind == "still"
    (tmp_path / "b.tga").write_bytes(saved("TIFF"))
    assert open_source(tmp_path / "b.tga").info.notes == ("named .tga but holds a TIFF",)


def test_a_clip_named_like_a_still_is_a_clip_and_said(tmp_path: Path) -> None:
    from tests.drawn import clip

    made = clip(tmp_path / "a.mp4", codec="libx264", frames=2)
    named = made.rename(tmp_path / "a.png")
    with open_source(named) as source:
        assert source.info.kind == "clip"
        assert source.info.notes[0] == "named .png but holds a clip"
    with pytest.raises(InputError, match="holds a clip or sound, not a still"):
        read_still(named)


CODE = """
import sys
from pathlib import Path
from grainkit.errors import InputError
from grainkit.io import open_source
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        with open_source(path) as source:
            for frame in source:
                pass
    except InputError as error:
        assert "\\n" not in str(error), path
"""


def test_no_other_librarys_line_reaches_either_stream(tmp_path: Path) -> None:
    """All that is damaged, cut or foreign, in one process whose file descriptors 1 and 2 are looked at."""
    from test_stills import EXAMPLES

    rng = np.random.default_rng(8)
    examples = dict(EXAMPLES)
    for name in ("group4", "tiff_lzw", "jpeg"):
        room = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (40, 40)).astype(np.uint8)).convert(
            "1" if name == "group4" else "RGB"
        ).save(room, "TIFF", compression=name)
        examples[name] = room.getvalue()
    written: dict[str, Any] = {f"{kind}.png": data for kind, (data, _) in FOREIGN.items()}
    for name, data in examples.items():
        written[f"{name} cut.x"] = data[: len(data) * 2 // 3]
        for number in range(12):
            body = bytearray(data)
            for at in rng.integers(0, len(body), 3):
                body[at] ^= int(rng.integers(1, 256))
            written[f"{name} {number}.x"] = bytes(body)
    written["cut.mp4"] = b"\0\0\0\x18ftypmp42" + bytes(40)
    written["noise.mkv"] = b"\x1a\x45\xdf\xa3" + rng.integers(0, 256, 4000).astype(np.uint8).tobytes()
    written["noise.ts"] = (b"\x47" + bytes(187)) * 20
    for name, data in written.items():
        (tmp_path / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", CODE, str(tmp_path)], capture_output=True, env=os.environ
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
