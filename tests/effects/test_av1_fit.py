"""AV1 parameters fitted to a recipe's grain: what a decoder makes of them is the grain that was asked."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from grainkit.backends.slots import plane_filters
from grainkit.effects.grain.av1.film_grain import FilmGrain
from grainkit.effects.grain.av1.fit import fit_film_grain
from grainkit.effects.grain.av1.stream import GrainStream, grain_seed
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.picture.color import Color, Range, chroma_codes, luma_codes
from grainkit.picture.noise import NoiseFilter
from tests.av1_streams import Stream, decode
from tests.passes import neutral, run

#: Where the tolerances of the promise lie.
NEAR = 0.05
WIDTH, HEIGHT = 1280, 720
FRAMES = 12
REACH = 4


def correlations(fields: list[np.ndarray], reach: int = REACH) -> np.ndarray:
    """Autocorrelation at lags 0..reach both ways, over all fields together."""
    sums = np.zeros((reach + 1, reach + 1))
    for z in fields:
        height, width = z.shape
        for dy in range(reach + 1):
            for dx in range(reach + 1):
                sums[dy, dx] += np.mean(z[: height - dy, : width - dx] * z[dy:, dx:])
    return sums / sums[0, 0]


def flat(lumas: list[int], color: Color, frames: int) -> Stream:
    """A clean clip of grey bars, from top to bottom in these 8-bit codes, encoded by SVT-AV1."""
    wide = color.depth > 8
    os.environ.setdefault("SVT_LOG", "1")  # read once, by the first encoder of the process
    encoder = av.CodecContext.create("libsvtav1", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p10le" if wide else "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 24), Fraction(24)
    encoder.color_range = 2 if color.range is Range.FULL else 1
    encoder.options = {"preset": "10", "crf": "10"}
    encoder.flags |= av.codec.context.Flags.global_header
    bars = np.repeat(np.array(lumas) << color.depth - 8, HEIGHT // len(lumas))
    dtype = np.uint16 if wide else np.uint8
    packets = []
    for number in range(frames):
        picture = av.VideoFrame(WIDTH, HEIGHT, encoder.pix_fmt)
        for plane, rows in zip(picture.planes, (bars, None, None), strict=True):
            samples = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size).view(dtype)
            samples[:] = 128 << color.depth - 8 if rows is None else rows[:, None]
        picture.pts, picture.time_base = number, Fraction(1, 24)
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    return Stream(encoder.extradata, [bytes(p) for p in packets])


def noise(stream: Stream, grain: FilmGrain) -> list[list[np.ndarray]]:
    """What a decoder adds, by plane and frame."""
    rewriter = GrainStream(lambda n: grain, lambda n: grain_seed(9, n))
    after = Stream(rewriter.extradata(stream.extradata), [rewriter.packet(p) for p in stream.packets])
    pairs = list(zip(decode(after, grain=True), decode(after, grain=False), strict=True))
    return [[x[p].astype(float) - y[p] for x, y in pairs] for p in range(3)]


LUMAS = [40, 70, 100, 130, 170, 200]
GRAINS = {
    "the av1 preset": (CinemaGrain(strength=3.0, size=1.0), Color(depth=10)),
    "fine, 8 bits": (CinemaGrain(strength=2.5, size=0.7), Color()),
    "coarser, full range": (CinemaGrain(strength=4.0, size=1.5, curve="midtone"), Color(depth=10, range=Range.FULL)),
}


@pytest.mark.parametrize("name", GRAINS)
def test_a_decoder_makes_the_amount_and_the_texture_that_were_asked(name):
    grain, color = GRAINS[name]
    fitted = fit_film_grain(grain, color, WIDTH, HEIGHT)
    fields = noise(flat(LUMAS, color, FRAMES), fitted.grain)
    unit = 1 << color.depth - 8
    black, white = luma_codes(color.depth, color.range)
    share = grain.deviation((np.array(LUMAS, float) * unit - black) / (white - black))
    spans = [white - black, *(chroma_codes(color.depth, color.range)[1] * s for s in grain.chroma_shares)]
    filters = plane_filters((2, 2), grain.sigma_px(WIDTH, HEIGHT, 0.0), grain.chroma_sizes)
    for plane, (span, wanted) in enumerate(zip(spans, filters, strict=True)):
        bar = fields[plane][0].shape[0] // len(LUMAS)
        bars = [[f[i * bar + 4 : (i + 1) * bar - 4] for f in fields[plane]] for i in range(len(LUMAS))]
        found = np.array([np.std(b) for b in bars])
        if plane == 0:
            assert found == pytest.approx(share * span, rel=NEAR)
        assert np.sum(found) == pytest.approx(np.sum(share * span), rel=NEAR)
        # Eight-bit codes are too coarse for chroma grain of half a code to keep its shape.
        if plane == 0 or color.depth > 8:
            target = wanted.correlation(REACH)[REACH:, REACH:]
            brightest = correlations(bars[int(np.argmax(share))])
            assert np.sqrt(np.mean((brightest - target) ** 2)) < NEAR
    frames = np.array([f.ravel()[::7] for f in fields[0]])
    apart = np.corrcoef(frames)[~np.eye(FRAMES, dtype=bool)]
    assert np.abs(apart).max() < NEAR


@pytest.mark.slow
def test_burned_in_and_carried_grain_look_alike():
    """The pass itself against a decoder: amount and texture of luma on mid grey."""
    grain, color = CinemaGrain(strength=3.0, size=1.0), Color(depth=10)
    code = 100 << 2
    planes = neutral(np.full((HEIGHT, WIDTH), code, np.uint16), color)
    burned = [run(planes, color, grain, index=n)[0].astype(float) - code for n in range(4)]
    carried = noise(flat([100], color, FRAMES), fit_film_grain(grain, color, WIDTH, HEIGHT).grain)[0]
    assert np.std(carried) == pytest.approx(np.std(burned), rel=NEAR)
    difference = correlations(carried) - correlations(burned)
    assert np.sqrt(np.mean(difference**2)) < NEAR


@pytest.mark.parametrize("size", [0.3, 1.0, 2.0, 4.0])
def test_the_filters_autocorrelation_is_that_of_the_pass(size):
    color = Color(depth=10)
    planes = neutral(np.full((720, 720), 400, np.uint16), color)
    grain = CinemaGrain(strength=8.0, size=size, curve="flat")
    fields = [run(planes, color, grain, index=n)[0].astype(float) - 400 for n in range(8)]
    side = grain.sigma_px(720, 720, 0.0)
    wanted = NoiseFilter.of_size(side, side).correlation(REACH)[REACH:, REACH:]
    assert correlations(fields) == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize(("size", "strength"), [(0.3, 24.0), (0.3, 0.1), (4.0, 0.1), (4.0, 24.0)])
def test_the_ends_of_every_range_can_be_coded(size, strength):
    grain = CinemaGrain(strength=strength, size=size, curve="flat")
    made = fit_film_grain(grain, Color(), 3840, 2160).grain
    assert made.luma_points[0][0] >= 15
    assert made.luma_points[-1][0] <= 236
    assert 0 < max(scaling for _, scaling in made.luma_points) <= 255
    assert made.clip


def test_other_samplings_ranges_and_no_chroma():
    grain = CinemaGrain(strength=2.0)
    full = fit_film_grain(grain, Color(depth=10, range=Range.FULL), 640, 360).grain
    assert not full.clip
    assert full.luma_points[-1][0] > 240
    grey = fit_film_grain(replace(grain, chroma=0.0), Color(subsampling=(2, 1)), 640, 360).grain
    assert grey.cb_coefficients != full.cb_coefficients
    assert (grey.cb_points, grey.cr_points) == ((), ())


@pytest.mark.slow
def test_the_same_grain_gives_the_same_parameters():
    asked = (CinemaGrain(strength=3.0, size=2.0, chroma=0.0), Color(depth=10, subsampling=(1, 1)), 640, 360)
    assert fit_film_grain(*asked) == fit_film_grain(*asked)


def test_grain_that_av1_cannot_shape_is_told_from_grain_that_it_can():
    four_px = fit_film_grain(CinemaGrain(size=4.0), Color(), 1920, 1080)
    eight_px = fit_film_grain(CinemaGrain(size=4.0), Color(), 3840, 2160)
    assert four_px.correlation_error < NEAR < eight_px.correlation_error
