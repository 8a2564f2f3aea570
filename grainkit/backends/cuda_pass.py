"""The pass on the card: a job's tables as the kernels' arguments, and the two launches of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from grainkit.backends.cuda_card import REMEDY, Card
from grainkit.backends.cuda_launch import Kernel, Kernels
from grainkit.backends.cuda_memory import PlaneRelief, Shapes
from grainkit.backends.cupy_surface import CardArray
from grainkit.backends.kernel_arguments import (
    Channels,
    ChromaArguments,
    ChromaTone,
    FloatChromaTone,
    FloatLumaTone,
    LumaArguments,
    LumaTone,
    Relief,
    Scale,
    Shoulder,
    address,
    rows_of,
)
from grainkit.backends.tables import PassTables, PlaneNoise, chroma_limits, fraction_bits
from grainkit.errors import BackendUnavailable
from grainkit.picture.color import Color, chroma_codes, luma_codes

#: Geometry of kernels/grain_field.cuh.
THREADS, TILE_W, TILE_H, DRAWN = 256, 128, 32, 32
HALF_W, HALF_H = TILE_W // 2 + 2, TILE_H // 2 + 2


@dataclass(frozen=True)
class _Launch:
    """One of a job's two kernels, and the shared memory of a block."""

    kernel: Kernel
    shared: int

    def run(self, arguments: LumaArguments | ChromaArguments) -> None:
        """Make every tile of the target, on the current stream."""
        blocks = (-(-arguments.width // TILE_W), -(-arguments.height // TILE_H))
        self.kernel.launch(blocks, (THREADS,), self.shared, arguments)


class Held(NamedTuple):
    """The tables of a job on the card; None for those that are empty for nothing."""

    luma_curve: CardArray | None
    chroma_factor: CardArray | None
    luma: CardArray
    luma_gain: CardArray
    chroma: CardArray
    chroma_gain: CardArray


@dataclass(frozen=True, eq=False)
class Job:
    """What does not change from frame to frame. held: its tables on the card, which addresses in it point to.

    chroma, chroma_tone: None for grey pictures.
    """

    tables: PassTables
    luma: _Launch
    luma_tone: LumaTone | FloatLumaTone
    chroma: _Launch | None
    chroma_tone: ChromaTone | FloatChromaTone | None
    grains: tuple[CardArray | None, ...]
    held: Held

    def run(
        self, source: list[CardArray], target: list[CardArray], shapes: Shapes, reliefs: tuple[PlaneRelief, ...],
        index: int,
    ) -> None:  # fmt: skip
        """Both launches of the frame of this index, on the current stream."""
        number = (index // self.tables.hold) & 0xFFFFFFFF
        (height, width), luma = shapes[0], reliefs[0]
        self.luma.run(LumaArguments(
            source=rows_of(source[0]), target=rows_of(target[0]), width=width, height=height, tone=self.luma_tone,
            relief=Relief(address(luma.sent), luma.part), grain=address(self.grains[0]), frame=number,
        ))  # fmt: skip
        if self.chroma is None or self.chroma_tone is None:
            return
        self.chroma.run(ChromaArguments(
            luma=rows_of(source[0]), luma_width=width, luma_height=height, cb=rows_of(source[1]),
            cr=rows_of(source[2]), cb_target=rows_of(target[1]), cr_target=rows_of(target[2]), width=shapes[1][1],
            height=shapes[1][0], tone=self.chroma_tone, cb_terms=address(reliefs[1].sent),
            cr_terms=address(reliefs[2].sent), relief=reliefs[1].part, cb_grain=address(self.grains[1]),
            cr_grain=address(self.grains[2]), frame=number,
        ))  # fmt: skip


def new_job(card: Card, kernels: Kernels, tables: PassTables, planes: int) -> Job:
    """A job of pictures of that many planes, its tables on their way to the card on the current stream.

    Raises BackendUnavailable where a block needs more shared memory than the card has.
    """
    send = card.cupy.asarray
    noises = tables.noise or (None, None, None)
    grains = tuple(None if n is None else send(packed_grain(n)) for n in noises)
    held = Held(
        luma_curve=send(tables.luma_curve) if tables.luma_curve.size else None,
        chroma_factor=send(tables.chroma_factor) if tables.chroma_factor.size else None,
        luma=send(tables.luma), luma_gain=send(tables.luma_gain),
        chroma=send(tables.chroma), chroma_gain=send(tables.chroma_gain),
    )  # fmt: skip
    luma = _launch_of("luma", card, kernels, tables, noises[:1])
    if planes == 1:
        return Job(tables, luma, luma_tone(tables, held), None, None, grains, held)
    chroma = _launch_of("chroma", card, kernels, tables, noises[1:])
    return Job(tables, luma, luma_tone(tables, held), chroma, chroma_tone(tables, held), grains, held)


def _launch_of(
    plane: str, card: Card, kernels: Kernels, tables: PassTables, noises: tuple[PlaneNoise | None, ...]
) -> _Launch:
    shared = max(shared_bytes(n) for n in noises)
    if shared > card.most_shared:
        raise BackendUnavailable(
            f"grain this coarse needs {shared // 1024} KiB of shared memory in the GPU, which has "
            f"{card.most_shared // 1024}; make cinema_grain.size smaller, {REMEDY}"
        )
    kernel = kernels.get(*variant(plane, tables))
    kernel.allow(shared)
    return _Launch(kernel, shared)


def sample_type(color: Color) -> type[np.uint8] | type[np.uint16] | type[np.float32]:
    """What a sample of these colours is kept as."""
    return np.float32 if color.is_float else np.uint8 if color.depth == 8 else np.uint16


def variant(plane: str, tables: PassTables) -> tuple[str, tuple[str, ...]]:
    """Kernel and -D options for the luma or chroma of these colours."""
    bits = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16, np.dtype(np.float32): 32}
    pairs = zip(("SOURCE", "TARGET"), (tables.source, tables.target), strict=True)
    defines = [f"-D{end}_BITS={bits[np.dtype(sample_type(color))]}" for end, color in pairs]
    if plane == "chroma":
        across, down = tables.source.subsampling
        defines += [f"-DACROSS={across}", f"-DDOWN={down}"]
    return plane, tuple(defines)


def packed_grain(noise: PlaneNoise) -> npt.NDArray[np.int32]:
    """One plane's grain as `struct Grain` of kernels/grain_field.cuh, its filters behind it."""
    f = noise.filter
    filters = (f.fine_x, f.fine_y, f.coarse_x, f.coarse_y)
    keys = np.array([noise.fine_key, noise.coarse_key], np.uint32).view(np.int32)
    header = np.array([*(len(taps) - 1 for taps in filters), f.fine_weight, f.coarse_weight], np.int32)
    return np.concatenate([header, keys, *(taps.astype(np.int32) for taps in filters)])


def shared_bytes(noise: PlaneNoise | None) -> int:
    """Shared memory of a block for this grain: what `struct Room` of kernels/grain_field.cuh lays out."""
    kept = TILE_W * TILE_H * (2 + 2) + _rounded(HALF_W * HALF_H * 2, 16)
    if noise is None:
        return kept
    fine_rx, fine_ry, coarse_rx, coarse_ry = (int(r) for r in packed_grain(noise)[:4])
    whites = DRAWN * _rounded(max(TILE_W + 2 * fine_rx, HALF_W + 2 * coarse_rx), 16)
    fine, coarse = (_rounded(3 + h + 2 * r, 4) * w * 2 for h, r, w in (
        (TILE_H, fine_ry, TILE_W), (HALF_H, coarse_ry, HALF_W)
    ))  # fmt: skip
    return kept + whites + max(fine, coarse)


def luma_tone(tables: PassTables, held: Held) -> LumaTone | FloatLumaTone:
    """What luma becomes, by the tables on the card."""
    source, target = tables.source, tables.target
    if source.is_float:
        return FloatLumaTone(
            address(held.luma_curve), address(held.luma_gain), _shoulder(tables),
            _scale(target, *luma_codes(target.depth, target.range)),
        )  # fmt: skip
    bits = fraction_bits(target.depth)
    return LumaTone(
        address(held.luma), address(held.luma_gain), straight=tables.luma_straight, source_shift=tables.straight_shift,
        target_shift=bits, black=int(luma_codes(source.depth, source.range)[0]), last=tables.luma.size - 1,
        high=((1 << target.depth) - 1) << bits,
    )  # fmt: skip


def chroma_tone(tables: PassTables, held: Held) -> ChromaTone | FloatChromaTone:
    """What chroma becomes, by the tables on the card."""
    source, target = tables.source, tables.target
    kr, kg, kb = source.luma_weights()
    channels = Channels(
        r_cr=2 * (1 - kr), g_cb=-2 * kb * (1 - kb) / kg, g_cr=-2 * kr * (1 - kr) / kg, b_cb=2 * (1 - kb)
    )
    middle, spread = chroma_codes(target.depth, target.range)
    if source.is_float:
        return FloatChromaTone(
            address(held.luma_curve), address(held.chroma_factor), address(held.chroma_gain), channels,
            _shoulder(tables), _scale(target, middle, middle + spread),
        )  # fmt: skip
    black, white = luma_codes(source.depth, source.range)
    grey, unit = chroma_codes(source.depth, source.range)
    low, high = chroma_limits(target)
    bits = fraction_bits(target.depth)
    return ChromaTone(
        address(held.chroma), address(held.chroma_gain), address(held.luma_curve), address(held.chroma_factor),
        straight=tables.chroma_straight, source_shift=tables.straight_shift, target_shift=bits,
        luma_black=black, luma_unit=1 / (white - black), chroma_grey=grey, chroma_unit=1 / unit,
        channels=channels, shoulder=_shoulder(tables), grey=int(middle) << bits, low=low << bits, high=high << bits,
        relief_unit=round(spread), last=((1 << target.depth) - 1) << bits,
    )  # fmt: skip


def _shoulder(tables: PassTables) -> Shoulder:
    return Shoulder(tables.shoulder.knee, tables.shoulder.curvature, tables.shoulder.strength)


def _scale(target: Color, zero: float, one: float) -> Scale:
    """How float values become codes, by the codes of 0 and 1; zeros where they stay float."""
    if target.is_float:
        return Scale(0.0, 0.0, 0.0)
    return Scale(zero, one - zero, float((1 << target.depth) - 1))


def _rounded(value: int, step: int) -> int:
    return -(-value // step) * step
