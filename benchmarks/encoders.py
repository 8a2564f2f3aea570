"""What encoder options keep of grain at equal rate: the reasons for the options in the presets.

    python -m benchmarks.encoders [CLIP] [--frames 12] [--bits 0.15] [--codec x264|x265|av1]

Animated grain goes on the first frames of CLIP (a drawn sample without one). Each row is an encode at the
quality factor that takes the same bits a pixel; a crf is a whole number, so rates differ a little and are
printed. rho is the share of the grain's pattern that is left, retained the texture's deviation after over
before, dead the share of 16x16 blocks that lose over half of theirs, pulse the unevenness over frames.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import grainkit as gk
from grainkit.codec.encoder import ENCODERS, Encoder, at_rate
from grainkit.codec.measures import Moment, measure
from grainkit.codec.regions import Finder
from grainkit.codec.viewer import as_platform
from grainkit.picture.resample import Geometry
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from samples.draw import clip, write_clip

#: Options over the proxy's own, by codec; the first of each is the encoder's own choice.
CASES: dict[str, dict[str, dict[str, str]]] = {
    "x264": {
        "medium": {},
        "deblock -2:-2": {"deblock": "-2:-2"},
        "tune film": {"tune": "film"},
        "tune grain": {"tune": "grain"},
        "aq-mode 3": {"aq-mode": "3"},
        "deblock -2:-2, aq-mode 3": {"deblock": "-2:-2", "aq-mode": "3"},
        "tune film, deblock -2:-2, aq-mode 3": {"tune": "film", "deblock": "-2:-2", "aq-mode": "3"},
        "psy-rd 0": {"psy-rd": "0:0"},
    },
    "x265": {
        "medium": {},
        "no-sao": {"x265-params": "no-sao=1"},
        "deblock -2:-2": {"x265-params": "deblock=-2,-2"},
        "no-sao, deblock -2:-2": {"x265-params": "no-sao=1:deblock=-2,-2"},
        "no-sao, deblock -2:-2, aq-mode 3": {"x265-params": "no-sao=1:deblock=-2,-2:aq-mode=3"},
        "rdoq-level 0": {"x265-params": "rdoq-level=0"},
        "psy-rdoq 2, rdoq-level 1": {"x265-params": "rdoq-level=1:psy-rdoq=2.0"},
        "no-sao, psy-rdoq 2, rdoq-level 1": {"x265-params": "no-sao=1:rdoq-level=1:psy-rdoq=2.0"},
        "tune grain": {"tune": "grain"},
    },
    "av1": {
        "preset 8": {},
        "no cdef": {"svtav1-params": "enable-cdef=0"},
        "no cdef, no restoration": {"svtav1-params": "enable-cdef=0:enable-restoration=0"},
        "tune 0": {"svtav1-params": "tune=0"},
        "preset 6": {"preset": "6"},
    },
}
#: Options that hold text of their own, which are added to and not replaced.
_JOINED = ("x264-params", "x265-params", "svtav1-params")


def with_options(encoder: Encoder, changes: dict[str, str]) -> Encoder:
    """The encoder with these options too."""
    options = dict(encoder.options) | ({"preset": "medium"} if encoder.name == "libx265" else {})
    for key, value in changes.items():
        options[key] = f"{options[key]}:{value}" if key in _JOINED and key in options else value
    return replace(encoder, options=tuple(options.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", nargs="?", type=Path)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--bits", type=float, default=0.15, help="per pixel")
    parser.add_argument("--codec", choices=tuple(CASES), action="append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.clip or Path(folder) / "clip.mp4"
        if options.clip is None:
            write_clip(path, clip(options.frames))
        with gk.open_source(path) as source:
            plain, info = list(islice(source, options.frames)), source.info
    side = min(info.width, info.height)
    # Grain of 1 px and 3 codes, whatever the clip's size.
    grain = (f"cinema_grain.size={min(1080 / side, 4.0)}", "cinema_grain.strength=3", "highlight_guard.strength=0")
    with gk.Finisher(override(load_recipe("video"), grain)) as finisher:
        grainy = [as_platform(f, Geometry.same(f.width, f.height)) for f in finisher.frames(plain, info)]
    found = Finder().found(plain[len(plain) // 2])
    rate = info.rate or 24
    kbps = options.bits * info.width * info.height * float(rate) / 1000
    print(f"{path.name}, {info.width}x{info.height}, {len(plain)} frames, {options.bits} bits a pixel: {kbps:.0f} kb/s")
    print(f"{'':44}{'kb/s':>7}{'crf':>5}{'rho':>7}{'retained':>10}{'dead':>8}{'pulse':>8}")
    with ThreadPoolExecutor(1) as threads:
        for codec in options.codec or CASES:
            for name, changes in CASES[codec].items():
                encoder = with_options(ENCODERS[codec], changes)
                done = at_rate(encoder, [grainy], rate, kbps, threads)
                moments = (Moment(*each) for each in zip(plain, grainy, done.windows[0], strict=True))
                m = measure([moments], [found])
                shown = [f"{v:.3f}" if v is not None else "" for v in (m.rho, m.retained, m.dead, m.pulse)]
                print(f"{codec + ' ' + name:44}{done.kbps:7.0f}{done.crf:5}{shown[0]:>7}{shown[1]:>10}{shown[2]:>8}"
                      f"{shown[3]:>8}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
