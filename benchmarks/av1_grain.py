"""Grain as AV1 metadata against grain in the pixels: what it costs, and how true a player's grain is.

    python -m benchmarks.av1_grain [--clip FILE] [--frames 48] [--set cinema_grain.strength=2]...

Finishes the clip (a drawn one by default) with `video/av1` three times: without grain, with grain burned in, with
grain as metadata. Prints bytes; and of the metadata, from libdav1d with film grain on and off: amount found over
amount asked at each pixel's luma, difference of its autocorrelation from the filter's, how much the amount
changes and the pattern repeats from frame to frame, and CPU time of fitting and of writing it into the stream.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from grainkit.backends.slots import plane_filters
from grainkit.effects.grain.av1.fit import fit_film_grain
from grainkit.effects.grain.av1.stream import GrainStream
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.job.finish import finish
from grainkit.picture.color import Color, Range, luma_codes
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe

KINDS = {
    "clean": "cinema_grain.strength=0",
    "pixels": "cinema_grain.carrier=animated",
    "metadata": "cinema_grain.carrier=metadata",
}
REACH = 4


def packets(path: Path) -> tuple[bytes, list[bytes]]:
    """Global header and packets of a clip's picture."""
    with av.open(str(path)) as container:
        track = container.streams.video[0]
        return track.codec_context.extradata or b"", [bytes(p) for p in container.demux(track) if p.size]


def lumas(path: Path, *, grain: bool) -> list[np.ndarray]:
    """Luma of every picture as a player shows it, or as it was encoded."""
    extradata, stream = packets(path)
    decoder = av.CodecContext.create("libdav1d", "r")
    decoder.extradata = extradata
    decoder.options = {"filmgrain": str(int(grain))}
    pictures = []
    for number, data in enumerate(stream):
        packet = av.Packet(data)
        packet.pts, packet.time_base = number, Fraction(1, 24)
        pictures += decoder.decode(packet)
    planes = [p.planes[0] for p in pictures + decoder.decode(None)]
    samples = [np.frombuffer(p, np.uint8).reshape(p.height, p.line_size).view(np.uint16)[:, : p.width] for p in planes]
    return [s.astype(np.float32) for s in samples]


def correlation(field: np.ndarray) -> np.ndarray:
    """Autocorrelation at lags 0..REACH both ways."""
    height, width = field.shape
    lags = range(REACH + 1)
    found = np.array([[np.mean(field[: height - y, : width - x] * field[y:, x:]) for x in lags] for y in lags])
    return found / found[0, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="EFFECT.PARAM=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = options.clip
        if clip is None:
            from samples.draw import draw

            draw(Path(folder))
            clip = Path(folder) / "clip.mp4"
        outputs = {kind: Path(folder) / f"{kind}.mkv" for kind in KINDS}
        for kind, setting in KINDS.items():
            report = finish(
                clip, outputs[kind], preset="video/av1", settings=[*options.settings, setting],
                frames=(0, options.frames),
            )  # fmt: skip
        sizes = {kind: sum(map(len, packets(path)[1])) for kind, path in outputs.items()}
        print(f"{clip.name}, {report.frames} frames of {report.width}x{report.height}, video/av1")
        for kind, size in sizes.items():
            print(f"{kind:10}{size:12} bytes  {size / sizes['clean'] - 1:+8.2%}")

        color = Color(depth=10, range=Range.LIMITED)
        grain = override(load_recipe("video/av1"), options.settings).for_kind("clip").effect(CinemaGrain)
        began = time.process_time()
        fitted = fit_film_grain(grain, color, report.width, report.height)
        fitting = time.process_time() - began
        extradata, stream = packets(outputs["clean"])
        rewriter = GrainStream(lambda n: fitted.grain, lambda n: n + 1)
        began = time.process_time()
        rewriter.extradata(extradata)
        for data in stream:
            rewriter.packet(data)
        writing = (time.process_time() - began) / len(stream)

        black, white = luma_codes(color.depth, color.range)
        pairs = list(zip(lumas(outputs["metadata"], grain=True), lumas(outputs["metadata"], grain=False), strict=True))
        asked = [grain.deviation((bare.astype(float) - black) / (white - black)) * (white - black) for _, bare in pairs]
        # Where less than a code is asked, rounding is all that is left of the shape.
        fields = [np.where(a > 1, (x - b) / np.maximum(a, 1), 0) for (x, b), a in zip(pairs, asked, strict=True)]
        amounts = np.array([np.sqrt(np.mean(f[a > 1] ** 2)) for f, a in zip(fields, asked, strict=True)])
        wanted = plane_filters((2, 2), grain.sigma_px(report.width, report.height, 0.0), grain.chroma_sizes)[
            0
        ].correlation(REACH)
        found = np.mean([correlation(f) for f in fields], axis=0)
        apart = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairwise(fields)]
        print(f"amount, found over asked          {np.sqrt(np.mean(amounts**2)):8.3f}")
        print(f"autocorrelation, rms difference   {np.sqrt(np.mean((found - wanted[REACH:, REACH:]) ** 2)):8.3f}")
        print(f"amount, deviation between frames  {amounts.std() / amounts.mean():8.3f}")
        print(f"pattern, most in next frame       {np.abs(apart).max():8.3f}")
        print(f"fitting, once                     {fitting:8.2f} s of CPU time")
        print(f"writing, a frame                  {writing * 1000:8.3f} ms of CPU time")


if __name__ == "__main__":
    main()
