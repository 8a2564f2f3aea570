"""One record a still format: what asks for formats asks there, and a new one is a file and a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grainkit.hosts.cli.command import main
from grainkit.io.decode_still import read_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.still_formats import STILL_FORMATS, format_by_ending, format_named, format_of, still_endings
from tests.drawn import still

LEFT_ALONE = ["--preset", "video", "--no-adapt", "--quiet", "--set", "cinema_grain.strength=0"]
LEFT_ALONE += ["--set", "skin_texture.strength=0", "--set", "highlight_guard.strength=0"]


@pytest.mark.parametrize("form", STILL_FORMATS, ids=lambda form: form.name)
def test_a_record_says_what_can_be_told_apart(form):
    assert format_named(form.name) is form
    assert all(format_by_ending(Path(f"a{ending.upper()}")) is form for ending in form.endings)
    assert not [other for other in STILL_FORMATS if other is not form and set(other.endings) & set(form.endings)]
    assert form.depths
    assert format_of(b"") is None


@pytest.mark.parametrize(("ending", "name"), still_endings().items())
def test_what_is_read_under_an_ending_is_written_under_it(tmp_path, ending, name):
    out = tmp_path / f"o{ending}"
    assert main(["finish", str(still(tmp_path / "a.png")), "-o", str(out), *LEFT_ALONE]) == 0
    written = read_still(out)
    assert written.container == name
    assert not any("named" in note for note in written.notes)


def test_a_record_takes_no_library_with_it():
    code = (
        "import sys; from grainkit.io.still_formats import STILL_FORMATS\n"
        "print([m for m in ('numba', 'PIL', 'cv2', 'tifffile', 'OpenEXR') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


#: A file of a format, as there is one for each in io/still_formats.
DRAWN = """
import struct
import numpy as np
from grainkit.io import still_formats
from grainkit.io.base import StillMetadata
from grainkit.io.still import Still, finished, still_color
from grainkit.io.still_format import ExifPart, Holds, StillFormat

def _decode(data, limit):
    width, height = struct.unpack_from(">II", data, 5)
    rgb = np.frombuffer(data, np.uint8, offset=13).reshape(height, width, 3)
    return finished(Still(rgb, None, still_color(8, declared=False), "drawn", StillMetadata()), 1, False)

def _encode(rgb, alpha, settings, told, color):
    return b"DRAWN" + struct.pack(">II", rgb.shape[1], rgb.shape[0]) + rgb.tobytes()

DRAWN = StillFormat(
    name="drawn", title="Drawn", endings=(".drw", ".drawn"), begins=lambda head: head.startswith(b"DRAWN"), depths=(8,),
    alpha=False, holds=Holds(icc=False, exif=ExifPart.NONE), decode=_decode, encode=_encode,
)
"""
#: Its line in the list, before anybody has asked for it.
LINE = "still_formats.STILL_FORMATS = (*still_formats.STILL_FORMATS, DRAWN)\n"


JOBS = """
from grainkit.hosts.cli.command import main

def job(*arguments):
    print(main(["finish", *arguments, *KEPT]))

job("a.png", "-o", "b.drawn")
job("b.drawn", "-o", "c.png")
job("b.drawn", "-o", "series/", "--set", "delivery.still.container=drawn", "--set", "delivery.still.depth=8")
job("a.png", "-o", "a.dwr")
job("a.png", "-o", "deep/", "--set", "delivery.still.container=drawn", "--set", "delivery.still.depth=16")
"""


def test_a_new_format_is_one_file_and_one_line(tmp_path):
    source = still(tmp_path / "a.png")
    (tmp_path / "series").mkdir()
    code = f"{DRAWN}{LINE}KEPT = {LEFT_ALONE!r}{JOBS}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.split() == ["0", "0", "0", "2", "2"], done.stderr
    assert "'.dwr' is not a format grainkit writes; did you mean .drw? (it writes .png, " in done.stderr
    assert "depth = 16 is not allowed for drawn; it is 8 bits" in done.stderr
    assert (tmp_path / "b.drawn").read_bytes().startswith(b"DRAWN")
    assert [path.suffix for path in (tmp_path / "series").iterdir() if path.suffix != ".txt"] == [".drw"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "c.png")), np.asarray(Image.open(source)))


def test_a_delivery_is_of_any_of_them_and_of_nothing_else():
    declared = StillDelivery.__dataclass_fields__["container"].metadata["param"]
    assert declared.choices == tuple(form.name for form in STILL_FORMATS)
