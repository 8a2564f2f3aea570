"""Sequence and frame headers of AV1, read exactly as far as film grain needs: to the bit where its parameters stand.

Names and order are those of the specification (5.5 and 5.9). A frame header's length depends on frames
before it, so `FrameHeaders` keeps of each reference slot what decides it. What is read and not needed
is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from grainkit.effects.grain.av1.bits import BitReader
from grainkit.effects.grain.av1.film_grain import FilmGrain
from grainkit.errors import EncodingError

KEY_FRAME, INTER_FRAME, INTRA_ONLY_FRAME, SWITCH_FRAME = range(4)
#: Reference slots, references of a frame, and the slot mask of a frame that replaces all.
NUM_REF_FRAMES, REFS_PER_FRAME, ALL_FRAMES = 8, 7, 0xFF

_SELECT = 2
_PRIMARY_REF_NONE = 7
_MAX_SEGMENTS = 8
#: Bits of each segmentation feature, and whether it has a sign (Segmentation_Feature_Bits, _Signed).
_FEATURES = ((8, True), (6, True), (6, True), (6, True), (6, True), (3, False), (0, False), (0, False))
_MAX_TILE_WIDTH, _MAX_TILE_AREA, _MAX_TILE_COLS, _MAX_TILE_ROWS = 4096, 4096 * 2304, 64, 64
_TRANSLATION, _ROTZOOM, _AFFINE = 1, 2, 3


@dataclass(frozen=True)
class SequenceHeader:
    """What of a sequence header decides how frame headers are read.

    film_grain_bit: where film_grain_params_present stands in the OBU's payload.
    operating_points: (operating_point_idc, decoder_model_present_for_this_op) of each.
    order_hint_bits: 0 where order hints are off. time_bits: of frame_presentation_time, 0 where it is not sent.
    removal_bits: of buffer_removal_time, 0 without a decoder model. id_bits, delta_id_bits: 0 without frame ids.
    """

    film_grain_bit: int
    film_grain: bool
    reduced_still: bool
    operating_points: tuple[tuple[int, bool], ...]
    time_bits: int
    removal_bits: int
    size_bits: tuple[int, int]
    max_size: tuple[int, int]
    id_bits: int
    delta_id_bits: int
    superblock_128: bool
    warped_motion: bool
    ref_frame_mvs: bool
    force_screen_content_tools: int
    force_integer_mv: int
    order_hint_bits: int
    superres: bool
    cdef: bool
    restoration: bool
    mono: bool
    subsampling: tuple[int, int]
    separate_uv_delta_q: bool


def read_sequence_header(payload: bytes) -> SequenceHeader:
    """sequence_header_obu(). Raises EncodingError where it breaks off."""
    b = BitReader(payload)
    profile = b.f(3)
    b.f(1)  # still_picture
    reduced = b.flag()
    points: list[tuple[int, bool]] = []
    time_bits = removal_bits = 0
    if reduced:
        b.f(5)  # seq_level_idx
        points.append((0, False))
    else:
        delay_bits = 0
        if b.flag():  # timing_info_present_flag
            b.f(64)  # num_units_in_display_tick, time_scale
            equal_picture_interval = b.flag()
            if equal_picture_interval:
                b.skip_uvlc()
            if b.flag():  # decoder_model_info_present_flag
                delay_bits = b.f(5) + 1
                b.f(32)  # num_units_in_decoding_tick
                removal_bits = b.f(5) + 1
                length = b.f(5) + 1
                time_bits = 0 if equal_picture_interval else length
        display_delay = b.flag()
        for _ in range(b.f(5) + 1):
            idc = b.f(12)
            if b.f(5) > 7:  # seq_level_idx
                b.f(1)  # seq_tier
            modelled = bool(removal_bits) and b.flag()
            if modelled:
                b.f(2 * delay_bits + 1)
            if display_delay and b.flag():
                b.f(4)
            points.append((idc, modelled))
    width_bits, height_bits = b.f(4) + 1, b.f(4) + 1
    max_size = b.f(width_bits) + 1, b.f(height_bits) + 1
    id_bits = delta_id_bits = 0
    if not reduced and b.flag():  # frame_id_numbers_present_flag
        delta_id_bits = b.f(4) + 2
        id_bits = b.f(3) + delta_id_bits + 1
    superblock_128 = b.flag()
    b.f(2)  # enable_filter_intra, enable_intra_edge_filter
    warped_motion = ref_frame_mvs = False
    force_screen_content_tools = force_integer_mv = _SELECT
    order_hint_bits = 0
    if not reduced:
        b.f(2)  # enable_interintra_compound, enable_masked_compound
        warped_motion = b.flag()
        b.f(1)  # enable_dual_filter
        order_hints = b.flag()
        if order_hints:
            b.f(1)  # enable_jnt_comp
            ref_frame_mvs = b.flag()
        if not b.flag():  # seq_choose_screen_content_tools
            force_screen_content_tools = b.f(1)
        if force_screen_content_tools and not b.flag():  # seq_choose_integer_mv
            force_integer_mv = b.f(1)
        if order_hints:
            order_hint_bits = b.f(3) + 1
    superres, cdef, restoration = b.flag(), b.flag(), b.flag()
    mono, subsampling, separate_uv_delta_q = _color_config(b, profile)
    film_grain_bit = b.position
    return SequenceHeader(
        film_grain_bit, b.flag(), reduced, tuple(points), time_bits, removal_bits, (width_bits, height_bits), max_size,
        id_bits, delta_id_bits, superblock_128, warped_motion, ref_frame_mvs, force_screen_content_tools,
        force_integer_mv, order_hint_bits, superres, cdef, restoration, mono, subsampling, separate_uv_delta_q,
    )  # fmt: skip


def _color_config(b: BitReader, profile: int) -> tuple[bool, tuple[int, int], bool]:
    """(mono_chrome, luma samples per chroma sample, separate_uv_delta_q)."""
    high_bitdepth = b.flag()
    twelve = profile == 2 and high_bitdepth and b.flag()
    mono = profile != 1 and b.flag()
    described = (b.f(8), b.f(8), b.f(8)) if b.flag() else None
    if mono:
        b.f(1)  # color_range
        return True, (2, 2), False
    if described == (1, 13, 0):  # BT.709, sRGB, identity: R'G'B'
        return False, (1, 1), b.flag()
    b.f(1)  # color_range
    if profile < 2:
        subsampling = (1, 1) if profile else (2, 2)
    elif not twelve:
        subsampling = (2, 1)
    elif b.flag():
        subsampling = (2, 2 if b.flag() else 1)
    else:
        subsampling = (1, 1)
    if subsampling == (2, 2):
        b.f(2)  # chroma_sample_position
    return False, subsampling, b.flag()


#: Of each segment, what is added to the quantiser index; None where nothing is said.
Segments = tuple[int | None, ...]
_NO_SEGMENTS: Segments = (None,) * _MAX_SEGMENTS


@dataclass(frozen=True)
class Slot:
    """What a reference slot remembers of the frame in it. `size` is before superres; `grain` is None for none."""

    frame_type: int
    order_hint: int
    size: tuple[int, int]
    segments: Segments
    grain: FilmGrain | None = None


@dataclass(frozen=True)
class FrameHeader:
    """A frame header as far as it is read.

    bits: its length up to film_grain_params(), in bits. existing: slot that is shown again, or None.
    shown, showable: now, or later by naming its slot. references: slots that the frame refers to.
    refresh: mask of slots that it replaces. slot: what they will remember.
    """

    bits: int
    existing: int | None
    frame_type: int
    shown: bool
    showable: bool
    refresh: int
    references: tuple[int, ...]
    slot: Slot

    @property
    def has_grain(self) -> bool:
        """Whether film grain parameters follow at `bits`, once the sequence header announces them."""
        return self.existing is None and (self.shown or self.showable)


class FrameHeaders:
    """Reads the frame headers of one stream in order, with the memory that it takes."""

    def __init__(self) -> None:
        self.sequence: SequenceHeader | None = None
        self.slots: list[Slot | None] = [None] * NUM_REF_FRAMES

    def read(self, payload: bytes, temporal_id: int = 0, spatial_id: int = 0) -> FrameHeader:
        """uncompressed_header() at the front of `payload`, up to film_grain_params().

        Raises EncodingError where it breaks off or holds what is not read here.
        """
        if self.sequence is None:
            raise EncodingError("an AV1 frame comes before any sequence header")
        return _Reader(BitReader(payload), self.sequence, self.slots, (temporal_id, spatial_id)).uncompressed_header()

    def refresh(self, header: FrameHeader, grain: FilmGrain | None) -> None:
        """Put the frame into the slots that it replaces, with the parameters that were written for it."""
        kept = header.slot if header.existing is not None else replace(header.slot, grain=grain)
        for i in range(NUM_REF_FRAMES):
            if header.refresh >> i & 1:
                self.slots[i] = kept


class _Reader:
    """One frame header: the syntax structures of 5.9 as methods, their variables as attributes."""

    def __init__(
        self, bits: BitReader, sequence: SequenceHeader, slots: list[Slot | None], layer: tuple[int, int]
    ) -> None:
        self.b, self.sequence, self.slots, self.layer = bits, sequence, slots, layer
        self.references: tuple[int, ...] = ()
        self.planes = 1 if sequence.mono else 3

    def slot(self, index: int) -> Slot:
        slot = self.slots[index]
        if slot is None:
            raise EncodingError("an AV1 frame refers to one that never came")
        return slot

    def uncompressed_header(self) -> FrameHeader:
        b, s = self.b, self.sequence
        self.frame_type, shown, showable, resilient = KEY_FRAME, True, False, True
        if not s.reduced_still:
            if b.flag():
                return self.show_existing_frame()
            self.frame_type, shown = b.f(2), b.flag()
            if shown:
                b.f(s.time_bits)
            showable = self.frame_type != KEY_FRAME if shown else b.flag()
            resilient = self.frame_type == SWITCH_FRAME or (self.frame_type == KEY_FRAME and shown) or b.flag()
        self.intra = self.frame_type in (KEY_FRAME, INTRA_ONLY_FRAME)
        self.resilient = resilient
        disable_cdf_update = b.flag()
        tools = b.f(1) if s.force_screen_content_tools == _SELECT else s.force_screen_content_tools
        integer_mv = 0
        if tools:
            integer_mv = b.f(1) if s.force_integer_mv == _SELECT else s.force_integer_mv
        b.f(s.id_bits)  # current_frame_id
        self.size_override = self.frame_type == SWITCH_FRAME or (not s.reduced_still and b.flag())
        self.order_hint = b.f(s.order_hint_bits)
        primary = _PRIMARY_REF_NONE if self.intra or resilient else b.f(3)
        if s.removal_bits and b.flag():
            self.buffer_removal_times()
        everything = self.frame_type == SWITCH_FRAME or (self.frame_type == KEY_FRAME and shown)
        refresh = ALL_FRAMES if everything else b.f(8)
        if (not self.intra or refresh != ALL_FRAMES) and resilient and s.order_hint_bits:
            self.ref_order_hints()

        self.allow_intrabc = False
        self.high_precision_mv = False
        if self.intra:
            self.frame_size()
            self.render_size()
            if tools and self.upscaled_width == self.width:
                self.allow_intrabc = b.flag()
        else:
            self.inter_frame(bool(integer_mv))
        if not s.reduced_still and not disable_cdf_update:
            b.f(1)  # disable_frame_end_update_cdf
        self.tile_info()
        self.quantization_params()
        self.segmentation_params(primary)
        self.delta_q_and_lf_params()
        lossless = self.coded_lossless()
        if not lossless and not self.allow_intrabc:
            self.loop_filter_params()
            if s.cdef:
                self.cdef_params()
        if s.restoration and not self.allow_intrabc and not (lossless and self.width == self.upscaled_width):
            self.lr_params()
        if not lossless:
            b.f(1)  # tx_mode_select
        if not self.intra and b.flag() and self.skip_mode_allowed():  # reference_select
            b.f(1)  # skip_mode_present
        if not self.intra and not resilient and s.warped_motion:
            b.f(1)  # allow_warped_motion
        b.f(1)  # reduced_tx_set
        if not self.intra:
            self.global_motion_params()
        slot = Slot(self.frame_type, self.order_hint, (self.upscaled_width, self.height), self.segments)
        return FrameHeader(b.position, None, self.frame_type, shown, showable, refresh, self.references, slot)

    def show_existing_frame(self) -> FrameHeader:
        index = self.b.f(3)
        self.b.f(self.sequence.time_bits)
        self.b.f(self.sequence.id_bits)  # display_frame_id
        slot = self.slot(index)
        refresh = ALL_FRAMES if slot.frame_type == KEY_FRAME else 0
        return FrameHeader(self.b.position, index, slot.frame_type, True, False, refresh, (), slot)

    def buffer_removal_times(self) -> None:
        temporal_id, spatial_id = self.layer
        for idc, modelled in self.sequence.operating_points:
            inside = idc >> temporal_id & 1 and idc >> spatial_id + 8 & 1
            if modelled and (idc == 0 or inside):
                self.b.f(self.sequence.removal_bits)

    def ref_order_hints(self) -> None:
        for i, slot in enumerate(self.slots):
            hint = self.b.f(self.sequence.order_hint_bits)
            if slot is None or slot.order_hint != hint:
                # The frame was lost; a decoder puts an empty one in its place.
                self.slots[i] = Slot(INTER_FRAME, hint, self.sequence.max_size, _NO_SEGMENTS)

    def inter_frame(self, integer_mv: bool) -> None:
        b, s = self.b, self.sequence
        if s.order_hint_bits and b.flag():
            raise EncodingError("AV1 frames with frame_refs_short_signaling cannot be given film grain")
        references = []
        for _ in range(REFS_PER_FRAME):
            references.append(b.f(3))
            b.f(s.delta_id_bits)  # delta_frame_id_minus_1
        self.references = tuple(references)
        if self.size_override and not self.resilient:
            self.frame_size_with_refs()
        else:
            self.frame_size()
            self.render_size()
        self.high_precision_mv = not integer_mv and b.flag()
        if not b.flag():  # is_filter_switchable
            b.f(2)  # interpolation_filter
        b.f(1)  # is_motion_mode_switchable
        if not self.resilient and s.ref_frame_mvs:
            b.f(1)  # use_ref_frame_mvs

    def frame_size(self) -> None:
        self.upscaled_width, self.height = self.sequence.max_size
        if self.size_override:
            width_bits, height_bits = self.sequence.size_bits
            self.upscaled_width, self.height = self.b.f(width_bits) + 1, self.b.f(height_bits) + 1
        self.superres_params()

    def render_size(self) -> None:
        if self.b.flag():
            self.b.f(32)

    def frame_size_with_refs(self) -> None:
        for reference in self.references:
            if self.b.flag():  # found_ref
                self.upscaled_width, self.height = self.slot(reference).size
                self.superres_params()
                return
        self.frame_size()
        self.render_size()

    def superres_params(self) -> None:
        self.width = self.upscaled_width
        if self.sequence.superres and self.b.flag():
            denominator = self.b.f(3) + 9
            self.width = (self.upscaled_width * 8 + denominator // 2) // denominator

    def tile_info(self) -> None:
        b = self.b
        shift = 5 if self.sequence.superblock_128 else 4
        columns, rows = (
            (2 * ((side + 7) >> 3) + (1 << shift) - 1) >> shift for side in (self.width, self.height)
        )  # in superblocks
        max_width = _MAX_TILE_WIDTH >> shift + 2
        max_area = _MAX_TILE_AREA >> 2 * (shift + 2)
        min_log2_columns = _tile_log2(max_width, columns)
        min_log2_tiles = max(min_log2_columns, _tile_log2(max_area, rows * columns))
        if b.flag():  # uniform_tile_spacing_flag
            columns_log2 = self.increments(min_log2_columns, _tile_log2(1, min(columns, _MAX_TILE_COLS)))
            least = max(min_log2_tiles - columns_log2, 0)
            rows_log2 = self.increments(least, _tile_log2(1, min(rows, _MAX_TILE_ROWS)))
        else:
            widths = self.tile_sides(columns, max_width)
            area = rows * columns >> min_log2_tiles + 1 if min_log2_tiles else rows * columns
            heights = self.tile_sides(rows, max(area // max(widths), 1))
            columns_log2, rows_log2 = _tile_log2(1, len(widths)), _tile_log2(1, len(heights))
        if columns_log2 or rows_log2:
            b.f(columns_log2 + rows_log2)  # context_update_tile_id
            b.f(2)  # tile_size_bytes_minus_1

    def increments(self, least: int, most: int) -> int:
        while least < most and self.b.flag():
            least += 1
        return least

    def tile_sides(self, whole: int, most: int) -> list[int]:
        sides = []
        while whole > 0:
            sides.append(self.b.ns(min(whole, most)) + 1)
            whole -= sides[-1]
        return sides

    def quantization_params(self) -> None:
        b, s = self.b, self.sequence
        self.base_q_idx = b.f(8)
        deltas = [self.delta_q()]
        if self.planes > 1:
            differ = s.separate_uv_delta_q and b.flag()
            deltas += [self.delta_q() for _ in range(4 if differ else 2)]
        self.no_delta_q = not any(deltas)
        if b.flag():  # using_qmatrix
            b.f(12 if s.separate_uv_delta_q else 8)

    def delta_q(self) -> int:
        return self.b.su(7) if self.b.flag() else 0

    def segmentation_params(self, primary: int) -> None:
        b = self.b
        self.segments = _NO_SEGMENTS
        if not b.flag():  # segmentation_enabled
            return
        update_data = True
        if primary != _PRIMARY_REF_NONE:
            self.segments = self.slot(self.references[primary]).segments
            if b.flag():  # segmentation_update_map
                b.f(1)  # segmentation_temporal_update
            update_data = b.flag()
        if update_data:
            self.segments = tuple(self.segment() for _ in range(_MAX_SEGMENTS))

    def segment(self) -> int | None:
        """Features of one segment; the first of them moves the quantiser index."""
        values: list[int | None] = []
        for size, signed in _FEATURES:
            if self.b.flag():
                values.append(self.b.su(size + 1) if signed else self.b.f(size))
            else:
                values.append(None)
        return values[0]

    def delta_q_and_lf_params(self) -> None:
        b = self.b
        if self.base_q_idx and b.flag():  # delta_q_present
            b.f(2)  # delta_q_res
            if not self.allow_intrabc and b.flag():  # delta_lf_present
                b.f(3)  # delta_lf_res, delta_lf_multi

    def coded_lossless(self) -> bool:
        indices = (min(max(self.base_q_idx + (delta or 0), 0), 255) for delta in self.segments)
        return self.no_delta_q and not any(indices)

    def loop_filter_params(self) -> None:
        b = self.b
        levels = b.f(12)
        if self.planes > 1 and levels:
            b.f(12)
        b.f(3)  # loop_filter_sharpness
        if b.flag() and b.flag():  # loop_filter_delta_enabled, loop_filter_delta_update
            for _ in range(8 + 2):
                self.delta_q()  # of the same form

    def cdef_params(self) -> None:
        self.b.f(2)  # cdef_damping_minus_3
        strengths = 1 << self.b.f(2)
        self.b.f(strengths * (12 if self.planes > 1 else 6))

    def lr_params(self) -> None:
        b = self.b
        types = [b.f(2) for _ in range(self.planes)]
        if not any(types):
            return
        if b.flag() and not self.sequence.superblock_128:  # lr_unit_shift
            b.f(1)  # lr_unit_extra_shift
        if self.sequence.subsampling == (2, 2) and any(types[1:]):
            b.f(1)  # lr_uv_shift

    def skip_mode_allowed(self) -> bool:
        """skip_mode_params(): whether there are two frames to take from, one before or two before."""
        if not self.sequence.order_hint_bits:
            return False
        hints = [self.slot(reference).order_hint for reference in self.references]
        distances = [relative_distance(hint, self.order_hint, self.sequence) for hint in hints]
        before = [d for d in distances if d < 0]
        return bool(before) and (max(distances) > 0 or min(before) < max(before))

    def global_motion_params(self) -> None:
        """Lengths alone: how long a value is does not depend on the value that it is told from."""
        b = self.b
        for _ in range(REFS_PER_FRAME):
            if not b.flag():  # is_global
                continue
            kind = _ROTZOOM if b.flag() else _TRANSLATION if b.flag() else _AFFINE
            if kind >= _ROTZOOM:
                for _ in range(2 if kind == _ROTZOOM else 4):
                    self.subexp(12)
            for _ in range(2):
                self.subexp(12 if kind >= _ROTZOOM else 9 if self.high_precision_mv else 8)

    def subexp(self, abs_bits: int) -> None:
        """decode_signed_subexp_with_ref() of a number of this many bits and a sign."""
        symbols, start, k = (2 << abs_bits) + 1, 0, 3
        i = 0
        while True:
            size = k + i - 1 if i else k
            if symbols <= start + 3 * (1 << size):
                self.b.ns(symbols - start)
                return
            if not self.b.flag():  # subexp_more_bits
                self.b.f(size)
                return
            i += 1
            start += 1 << size


def relative_distance(a: int, b: int, sequence: SequenceHeader) -> int:
    """How far order hint `a` lies after `b`; hints wrap."""
    if not sequence.order_hint_bits:
        return 0
    half = 1 << sequence.order_hint_bits - 1
    return (a - b & half - 1) - (a - b & half)


def _tile_log2(block: int, target: int) -> int:
    k = 0
    while block << k < target:
        k += 1
    return k
