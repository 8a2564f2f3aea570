"""The words of sidecar and XMP say what changed pixels, and no more."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from PIL import Image

import grainkit as gk
from grainkit.io import png
from grainkit.io.base import StillMetadata
from grainkit.io.decode_still import read_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.encode_still import encode_still
from grainkit.io.metadata import claimed_source_type, xmp_packet
from grainkit.picture.frame import Frame
from tests.drawn import clip

OFF = ("skin_texture.strength=0", "highlight_guard.strength=0", "cinema_grain.strength=0", "delivery.still.sharpen=0")


def told(path):
    return yaml.safe_load((path.parent / f"{path.name}.grainkit.txt").read_text())


def captured(path, **size):
    """A picture whose XMP says that a camera took it."""
    rgb = np.random.default_rng(1).integers(0, 250, (48, 64, 3), np.uint8)
    packet = xmp_packet(digital_source_type="digitalCapture", software="camera", summary="")
    from grainkit.picture.color import SRGB_STILL
    from grainkit.picture.rgb import PlanesOfRgb

    frame = Frame(PlanesOfRgb(rgb, SRGB_STILL), SRGB_STILL, rgb=rgb)
    path.write_bytes(encode_still(frame, StillDelivery("png"), 0, StillMetadata(xmp=packet)))
    return path


@pytest.mark.parametrize(
    ("on", "retouched", "claim"),
    [
        ((), [], "digitalCapture"),
        (("delivery.width=32", "delivery.height=32"), [], "digitalCapture"),
        (("cinema_grain.strength=1",), ["cinema_grain"], "algorithmicallyEnhanced"),
        (("highlight_guard.strength=1",), ["highlight_guard"], "algorithmicallyEnhanced"),
        (("skin_texture.strength=1",), [], "digitalCapture"),  # no skin there
        (("delivery.still.sharpen=1", "delivery.dpi=300"), ["output_sharpening"], "algorithmicallyEnhanced"),
    ],
)
def test_a_still_is_called_what_was_done_to_it(on, retouched, claim, tmp_path):
    out = tmp_path / "o.png"
    report = gk.finish(captured(tmp_path / "a.png"), out, preset="social", settings=[*OFF, *on], adapt=False)
    made = told(out)
    assert made["touched"]["retouched"] == retouched
    assert report.digital_source_type == made["digital_source_type"] == claim
    xmp = read_still(out).metadata.xmp
    assert claimed_source_type(xmp) == claim
    assert (b"no effect" in xmp) == (not retouched)
    head = (tmp_path / "o.png.grainkit.txt").read_text().partition("\n\n")[0]
    assert f"Retouched: {', '.join(n.replace('_', ' ') for n in retouched) or 'nothing'}." in head
    assert f"Digital source type: {claim}." in head


def test_highlight_protection_leaves_hdr_alone_and_is_said_to(tmp_path):
    rgb = np.random.default_rng(1).integers(0, 65536, (20, 20, 3)).astype(np.uint16)
    (tmp_path / "pq.png").write_bytes(png.encode(rgb, None, [(b"cICP", bytes((9, 16, 0, 1)))]))
    out = tmp_path / "o.png"
    settings = [*OFF, "highlight_guard.strength=1", "delivery.still.depth=16", "delivery.fit=keep"]
    gk.finish(tmp_path / "pq.png", out, preset="print", settings=settings)
    assert told(out)["touched"]["retouched"] == []
    text = (tmp_path / "o.png.grainkit.txt").read_text()
    assert "# Highlight guard (which changed no pixel): strength 1" in text
    assert b"highlight guard" not in read_still(out).metadata.xmp
    np.testing.assert_array_equal(read_still(out).rgb, rgb)


@pytest.mark.slow
def test_grain_that_is_carried_is_in_no_pixel(tmp_path):
    source = clip(tmp_path / "c.nut", frames=2)
    out = tmp_path / "o.mkv"
    gk.finish(source, out, preset="video/av1", settings=["skin_texture.strength=0", "highlight_guard.strength=0"])
    assert told(out)["touched"]["retouched"] == []


def test_effects_off_leave_the_picture_alone(tmp_path):
    source = captured(tmp_path / "a.png")
    gk.finish(source, tmp_path / "o.png", preset="social", settings=[*OFF, "delivery.fit=keep"], adapt=False)
    np.testing.assert_array_equal(np.asarray(Image.open(source)), np.asarray(Image.open(tmp_path / "o.png")))
