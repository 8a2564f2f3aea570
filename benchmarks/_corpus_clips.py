"""Clips of the corpus, encoded by FFmpeg with samples that are known, and boxes changed by hand."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.stream import Disposition

from benchmarks._corpus_case import Array, Carried, Drawn, Picture, Refused, Right, Sketch, size, smooth
from benchmarks._corpus_delivered import frame_samples

#: libx264, VP9 and FFV1 keep every bit with these.
X264 = {"qp": "0", "preset": "ultrafast"}
VP9 = {"lossless": "1", "deadline": "realtime", "cpu-used": "8"}
#: Four tags of BT.709: primaries, transfer, matrix, and 1 for limited range.
BT709 = (1, 1, 1, 1)
#: The box that holds a C2PA manifest in MP4 (C2PA 2.1, appendix A.4).
_C2PA = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481")

# SVT-AV1 talks on standard error and takes no other word.
os.environ.setdefault("SVT_LOG", "1")


#: Samples of a pixel that each plane holds, where not one.
_WOVEN = {
    "rgb24": (3,), "bgr24": (3,), "rgb48le": (3,), "rgba": (4,), "bgra": (4,), "argb": (4,), "bgr0": (4,),
    "rgba64le": (4,), "ya8": (2,), "nv12": (1, 2), "p010le": (1, 2),
}  # fmt: skip


def frames(
    form: str, width: int, height: int, count: int, rng: np.random.Generator, lossy: bool
) -> list[av.VideoFrame]:
    """Frames of noise in every legal code, or of a smooth picture that a lossy codec keeps; each a little brighter."""
    return [_frame(form, width, height, number, rng, lossy) for number in range(count)]


def _frame(form: str, width: int, height: int, number: int, rng: np.random.Generator, lossy: bool) -> av.VideoFrame:
    made = av.VideoFrame(width, height, form)
    base = smooth(np.random.default_rng(5), width, height, 1)[..., 0]
    for index, (plane, component) in enumerate(zip(made.planes, made.format.components, strict=False)):
        deep = np.dtype("<f4" if "f32" in form else "<u2" if component.bits > 8 else "u1")
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)  # type: ignore[call-overload]
        step = _WOVEN[form][index] if form in _WOVEN else 1
        columns = plane.width * step
        target = rows[:, : columns * deep.itemsize].view(deep)
        top = (1 << component.bits) - 1
        if deep.kind == "f":
            target[...] = rng.uniform(-0.25, 1.5, target.shape)
        elif not lossy:
            target[...] = rng.integers(0, top, target.shape, np.uint16, endpoint=True)
            if form == "p010le":
                target[...] <<= 6
        elif component.is_chroma:
            shift = 0.02 * (number + 1) * (1 if index == 1 else -1)
            target[...] = np.rint((0.5 + shift + 0.04 * base[: plane.height, :columns]) * (top + 1))
        else:
            wide = np.repeat(base, step, axis=1)
            target[...] = np.rint((0.1 + 0.7 * wide + 0.03 * number) * top)
    return made


def encode(
    path: Path, pictures: Sequence[av.VideoFrame], codec: str, form: str, *, options: Mapping[str, str] | None = None,
    ticks: Sequence[int] | None = None, time_base: Fraction | None = None, tags: tuple[int, int, int, int] = BT709,
    turned: tuple[int, bool] | None = None, aspect: Fraction = Fraction(1), flags: Any = None,
    metadata: Mapping[str, str] | None = None, container: Mapping[str, str] | None = None,
    more: Callable[[Any], Callable[[], None]] | None = None, rate: int = 25,
) -> Path:  # fmt: skip
    """Encode into the container that the path's ending names.

    ticks: of each frame, in `time_base`; counted where it is None. turned: degrees and mirror of a display matrix.
    more: given the output before its header is written; adds streams, and gives what is to be called at the end.
    """
    with av.open(str(path), "w", container_options=dict(container or {})) as output:
        stream = output.add_stream(codec, rate=rate, options=dict(options or {}))
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = pictures[0].width, pictures[0].height, form
        context.thread_count = 1
        context.sample_aspect_ratio = aspect
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        if time_base is not None:
            context.time_base = stream.time_base = time_base
        if flags is not None:
            context.flags |= flags
        if turned is not None:
            stream.set_display_rotation(turned[0], hflip=turned[1])
        output.metadata.update(metadata or {})
        finish = None if more is None else more(output)
        for number, picture in enumerate(pictures):
            picture.pts = number if ticks is None else ticks[number]
            picture.time_base = time_base or Fraction(1, rate)
            picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range = tags
            output.mux(stream.encode(picture))
        for packet in stream.encode(None):
            if len(pictures) <= 2:
                # libx265 reads the decoding times of such a clip from unset memory.
                packet.dts = packet.pts
            output.mux(packet)
        if finish is not None:
            finish()
    return path


def shown(pictures: Sequence[av.VideoFrame]) -> tuple[Picture, ...]:
    return tuple(frame_samples(picture) for picture in pictures)


def _sound(output: Any, seconds: float = 0.2, codec: str = "aac") -> Callable[[], None]:
    """A tone beside the picture."""
    voice = output.add_stream(codec, rate=48000)

    def sing() -> None:
        count = int(seconds * 48000)
        tone = (8000 * np.sin(np.arange(count) * 2 * np.pi * 440 / 48000)).astype(np.int16)
        for start in range(0, count, 1024):
            frame = av.AudioFrame.from_ndarray(np.repeat(tone[start : start + 1024], 2)[None], "s16", "stereo")
            frame.sample_rate, frame.pts = 48000, start
            output.mux(voice.encode(frame))
        output.mux(voice.encode(None))

    return sing


# ------------------------------------------------------------------------------------------- codecs and formats


def _lossless(
    ending: str, codec: str, form: str, options: Mapping[str, str], even: bool, folder: Path, rng: np.random.Generator
) -> Drawn:
    # FFV1, which all of them are delivered in, wants room for its slices.
    width, height = (48, 32) if even else size(rng, 11)
    pictures = frames(form, width, height, int(rng.integers(1, 4)), rng, lossy=False)
    tags = BT709 if form.startswith(("yuv", "nv", "gray", "ya")) else (1, 13, 0, 2)
    encode(folder / f"a{ending}", pictures, codec, form, options=options, tags=tags)
    return Drawn(f"a{ending}", Right(shown(pictures)))


def _float(output: str, folder: Path, rng: np.random.Generator) -> Drawn:
    """Float R'G'B', which only frames of EXR or TIFF hold."""
    pictures = frames("gbrpf32le", 17, 11, 2, rng, lossy=False)
    encode(folder / "a.nut", pictures, "rawvideo", "gbrpf32le", tags=(1, 8, 0, 2))
    right = Right(shown(pictures), or_refused="float|gbrpf32le" if output == "o.nut" else "")
    return Drawn("a.nut", right, output=output)


def _unsupported(ending: str, codec: str, form: str, words: str, folder: Path, rng: np.random.Generator) -> Drawn:
    made = [av.VideoFrame(64, 48, form)]
    for plane in made[0].planes:
        plane.update(rng.bytes(plane.buffer_size))
    encode(folder / f"a{ending}", made, codec, form)
    return Drawn(f"a{ending}", Refused(words))


def _lossy(
    ending: str, codec: str, form: str, sides: tuple[int, int], options: Mapping[str, str], near: float, deeper: int,
    folder: Path, rng: np.random.Generator,
) -> Drawn:  # fmt: skip
    """deeper: bits that the decoder gives more than were encoded."""
    # A transport stream of a few frames is too short to be told for one.
    pictures = frames(form, *sides, 12 if ending == ".ts" else 3, rng, lossy=True)
    encode(folder / f"a{ending}", pictures, codec, form, options=options)
    wanted = tuple(
        Picture(tuple(p << deeper for p in each.planes), None if each.alpha is None else each.alpha << deeper)
        for each in shown(pictures)
    )
    return Drawn(f"a{ending}", Right(wanted, near=near))


_FFV1 = (
    "yuv420p", "yuv422p", "yuv444p", "yuv420p9le", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv422p12le",
    "yuv444p14le", "yuv420p16le", "yuv444p16le", "gray", "gray10le", "gray16le", "bgr0", "bgra", "gbrp10le", "gbrp12le",
    "gbrp16le", "gbrap16le", "yuva420p", "yuva422p10le", "yuva444p16le", "ya8",
)  # fmt: skip
_RAW = ("yuv420p", "nv12", "rgb24", "bgr24", "rgb48le", "rgba64le", "gray", "yuv444p12le", "argb")
_X264 = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le")


def _codecs() -> Iterator[Sketch]:
    def lossless(name: str, *how: Any) -> Sketch:
        return Sketch("clip", name, partial(_lossless, *how))

    for form in _FFV1:
        yield lossless(f"ffv1-{form}", ".mkv", "ffv1", form, {}, False)
    for form in _RAW:
        yield lossless(f"raw-{form}", ".nut", "rawvideo", form, {}, False)
    for form in ("bgr24", "yuv420p", "bgra"):
        yield lossless(f"raw-avi-{form}", ".avi", "rawvideo", form, {}, True)
    for form in _X264:
        yield lossless(f"x264-{form}", ".mp4", "libx264", form, X264, True)
    yield Sketch("clip", "raw-float", partial(_float, "o.nut"))
    yield Sketch("clip", "raw-float-exr", partial(_float, "f_%03d.exr"))
    yield lossless("x264-rgb", ".mkv", "libx264rgb", "rgb24", {"crf": "0", "preset": "ultrafast"}, True)
    yield lossless("x265-lossless", ".mp4", "libx265", "yuv420p", {"x265-params": "log-level=none:lossless=1"}, True)
    for form in ("yuv420p", "yuv444p", "gbrp"):
        yield lossless(f"vp9-{form}", ".webm", "libvpx-vp9", form, VP9, False)
    for codec, ending, form in (
        ("huffyuv", ".avi", "yuv422p"), ("ffvhuff", ".avi", "yuv444p"), ("utvideo", ".avi", "gbrp"),
        ("qtrle", ".mov", "argb"), ("qtrle", ".mov", "rgb24"), ("png", ".mov", "rgba"), ("png", ".mov", "rgb24"),
        ("magicyuv", ".avi", "gbrp"),
    ):  # fmt: skip
        yield lossless(f"{codec}-{form}", ending, codec, form, {}, True)

    def lossy(name: str, *how: Any) -> Sketch:
        return Sketch("clip", name, partial(_lossy, *how))

    for name, ending, codec, form, options, near in (
        ("x264-crf", ".mp4", "libx264", "yuv420p", {"crf": "8"}, 2.0),
        ("x264-mkv-bframes", ".mkv", "libx264", "yuv420p", {"crf": "8", "bf": "2"}, 2.0),
        ("x265-10bit", ".mp4", "libx265", "yuv420p10le", {"crf": "8", "x265-params": "log-level=none"}, 8.0),
        ("x265-12bit", ".mkv", "libx265", "yuv422p12le", {"crf": "8", "x265-params": "log-level=none"}, 32.0),
        ("vp8", ".webm", "libvpx", "yuv420p", {"crf": "4", "b": "4M", "deadline": "realtime"}, 3.0),
        ("av1", ".mp4", "libsvtav1", "yuv420p", {"crf": "8", "preset": "10"}, 3.0),
        ("av1-10bit", ".mkv", "libsvtav1", "yuv420p10le", {"crf": "8", "preset": "10"}, 12.0),
        ("prores-422", ".mov", "prores_ks", "yuv422p10le", {"profile": "hq"}, 8.0),
        ("v210", ".mov", "v210", "yuv422p10le", {}, 0.0),
        ("mjpeg-avi", ".avi", "mjpeg", "yuvj422p", {"q": "2", "flags": "+qscale"}, 2.5),
        ("mjpeg-mov", ".mov", "mjpeg", "yuvj420p", {"q": "2", "flags": "+qscale"}, 2.5),
        ("mpeg2", ".mpg", "mpeg2video", "yuv420p", {"b": "8M"}, 3.0),
        ("mpeg2-ts", ".ts", "mpeg2video", "yuv420p", {"b": "8M"}, 3.0),
        ("mpeg4", ".avi", "mpeg4", "yuv420p", {"b": "8M"}, 3.0),
    ):  # fmt: skip
        yield lossy(name, ending, codec, form, (96, 80), options, near, 0)
    yield lossy("prores-444", ".mov", "prores_ks", "yuv444p10le", (96, 80), {"profile": "4444"}, 32.0, 2)
    yield lossy("dnxhr", ".mov", "dnxhd", "yuv422p", (256, 128), {"profile": "dnxhr_hq"}, 2.0, 0)
    yield lossy("dnxhr-10bit", ".mov", "dnxhd", "yuv422p10le", (256, 128), {"profile": "dnxhr_hqx"}, 8.0, 0)
    yield lossy("prores-4444-alpha", ".mov", "prores_ks", "yuva444p10le", (96, 80), {"profile": "4444"}, 32.0, 2)
    for codec, ending, form in (
        ("ffv1", ".mkv", "yuv411p"), ("ffv1", ".mkv", "yuv440p"), ("ffv1", ".mkv", "yuv410p"),
        ("rawvideo", ".avi", "yuyv422"), ("rawvideo", ".nut", "monow"), ("rawvideo", ".nut", "rgb565le"),
        ("qtrle", ".mov", "rgb555be"),
    ):  # fmt: skip
        yield Sketch("clip", f"{codec}-{form}-unread", partial(_unsupported, ending, codec, form, "pixel format"))


# ------------------------------------------------------------------------------------------- what is beside the samples


def _x264(
    folder: Path, rng: np.random.Generator, ending: str = ".mp4", count: int = 4, lossy: bool = False, **more: Any
) -> list[Any]:  # fmt: skip
    pictures = frames("yuv420p", 32, 16, count, rng, lossy)
    encode(
        folder / f"a{ending}",
        pictures,
        "libx264",
        "yuv420p",
        options={**X264, "bf": "0", **more.pop("x264", {})},
        **more,
    )
    return pictures


def _turned(ending: str, degrees: int, mirrored: bool, folder: Path, rng: np.random.Generator) -> Drawn:
    # Chroma on the left of its luma is on the right after half a turn, which no tag says: it is moved by half a sample.
    pictures = _x264(folder, rng, ending, 2, lossy=degrees == 180, turned=(degrees, mirrored))

    def upright(samples: Array) -> Array:
        turned = np.rot90(samples, degrees // 90)
        return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)

    wanted = tuple(Picture(tuple(upright(p) for p in each.planes)) for each in shown(pictures))
    return Drawn(f"a{ending}", Right(wanted, near=0.5 if degrees == 180 else 0.0, notes=("baked in",)))


def _times(how: str, folder: Path, rng: np.random.Generator) -> Drawn:
    ending, base, ticks = ".mp4", Fraction(1, 25), list(range(6))
    options: dict[str, Any] = {}
    if how == "vfr-mp4":
        base, ticks = Fraction(1, 90000), [0, 3003, 3900, 15000, 15001, 90000]
    elif how == "vfr-mkv":
        ending, base, ticks = ".mkv", Fraction(1, 1000), [0, 33, 34, 300, 1000, 1001]
    elif how == "ntsc":
        base, ticks = Fraction(1001, 30000), list(range(6))
    elif how == "late":
        ticks = [40, 41, 42, 43, 44, 45]
    elif how == "bframes":
        options = {"x264": {"bf": "3"}}
    elif how == "ts":
        ending = ".ts"
    elif how in ("no-pts", "no-pts-bframes"):
        ending, options = ".h264", {"x264": {"bf": "2"} if how.endswith("bframes") else {}}
    elif how == "avi":
        ending = ".avi"
    elif how == "negative":
        base, ticks = Fraction(1, 12800), [-1024, -512, 0, 512, 1024, 1536]
    pictures = _x264(folder, rng, ending, 6, ticks=ticks, time_base=base, **options)
    wanted, times = list(shown(pictures)), tuple((t - ticks[0]) * base for t in ticks)
    if how == "negative":
        # An edit list says that a player begins at 0.
        wanted, times = wanted[2:], tuple(t * base for t in ticks[2:])
    notes = ("no timestamps",) if how.startswith("no-pts") else ()
    return Drawn(f"a{ending}", Right(tuple(wanted), times=times, notes=notes))


def _edit_list(how: str, folder: Path, rng: np.random.Generator) -> Drawn:
    """An edit list that hides frames at the beginning, or both ends (ISO 14496-12, 8.6.6)."""
    pictures = _x264(folder, rng, count=8, x264={"g": "1", "bf": "0"}, container={"use_editlist": "1"},
                     ticks=[n + 1 for n in range(8)])  # fmt: skip
    path = folder / "a.mp4"
    data = bytearray(path.read_bytes())
    at = data.index(b"elst")
    count = struct.unpack_from(">I", data, at + 8)[0]
    entry = at + 12 + 12 * (count - 1)
    scale = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)[0]
    first, last = 3, 8 if how == "begin" else 6
    struct.pack_into(">I", data, entry, (last - first) * scale // 25)
    struct.pack_into(">i", data, entry + 4, first * 512)
    path.write_bytes(data)
    return Drawn("a.mp4", Right(shown(pictures)[first:last]))


def _fields(
    ending: str, codec: str, order: str, output: str, preset: str, folder: Path, rng: np.random.Generator
) -> Drawn:
    """Two fields a frame. Delivered with their order, or refused with a remedy."""
    near, form, options, flags = 0.0, "yuv420p", {}, None
    if codec == "libx264":
        options = {**X264, "x264-params": f"{order}=1"}
        pictures = frames(form, 64, 64, 3, rng, lossy=False)
    elif codec == "prores_ks":
        near, form, options, flags = 8.0, "yuv422p10le", {"profile": "hq"}, Flags.interlaced_dct
        pictures = frames(form, 96, 80, 3, rng, lossy=True)
    else:
        near, options, flags = 3.0, {"b": "8M"}, Flags.interlaced_dct | Flags.interlaced_me
        pictures = frames(form, 96, 80, 3, rng, lossy=True)
    encode(folder / f"a{ending}", pictures, codec, form, options=options, flags=flags)
    right = Right(
        shown(pictures), near=near, notes=("interlaced",), exact=False, or_refused="interlaced",
        carries=(Carried("interlaced", True, "(?!)"),),
    )  # fmt: skip
    return Drawn(f"a{ending}", right, output=output, preset=preset)


_HDR10 = (
    "log-level=none:hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    ":max-cll=1000,400:colorprim=9:transfer=16:colormatrix=9"
)


def _hdr(how: str, folder: Path, rng: np.random.Generator) -> Drawn:
    pictures = frames("yuv420p10le", 96, 80, 3, rng, lossy=True)
    transfer = 18 if how == "hlg" else 16
    params = _HDR10 if how != "hlg" else "log-level=none"
    encode(folder / "a.mp4", pictures, "libx265", "yuv420p10le", options={"crf": "8", "x265-params": params},
           tags=(9, transfer, 9, 1))  # fmt: skip
    if how == "hdr10-social":
        return Drawn("a.mp4", Refused("HDR", delivery=True), output="o.mp4", preset="social")
    carries = () if how == "hlg" else (Carried("hdr10", True, "(?!)"),)
    meaning = {"primaries": 9, "transfer": transfer, "matrix": 9, "range": "limited"}
    output, preset = {"hdr10": ("o.mp4", "video/hevc10"), "hlg": ("o.mp4", "video/hevc10")}.get(
        how, ("o.mov", "video/master")
    )
    if how == "hdr10-prores":
        carries = (Carried("hdr10", True, "mastering|HDR10|MaxCLL"),)
    right = Right(shown(pictures), near=8.0, meaning=meaning, carries=carries, exact=False)
    return Drawn("a.mp4", right, output=output, preset=preset)


_TEXTS = {
    "prompt": '{"3": {"class_type": "KSampler", "text": "ä"}}',
    "workflow": '{"nodes": []}',
    "comment": "42 steps",
}


def _texts(ending: str, output: str, folder: Path, rng: np.random.Generator) -> Drawn:
    """What ComfyUI writes into clips."""
    options = {"movflags": "use_metadata_tags"} if ending in (".mp4", ".mov") else {}
    texts = dict(_TEXTS)
    if ending == ".mov":
        texts = {"com.apple.quicktime.title": "a portrait", "comment": "42 steps"}
    if ending == ".webm":
        pictures = frames("yuv420p", 32, 16, 2, rng, lossy=False)
        encode(folder / "a.webm", pictures, "libvpx-vp9", "yuv420p", options=VP9, metadata=texts)
    else:
        pictures = _x264(folder, rng, ending, 2, metadata=texts, container=options)
    right = Right(shown(pictures), exact=False, carries=(Carried("texts", texts, "(?!)"),))
    return Drawn(f"a{ending}", right, output=output)


def _alpha(codec: str, ending: str, folder: Path, rng: np.random.Generator) -> Drawn:
    lossless = codec == "libvpx-vp9"
    options = VP9 if lossless else {"crf": "4", "b": "4M", "auto-alt-ref": "0"}
    pictures = frames("yuva420p", 96, 80, 3, rng, lossy=not lossless)
    encode(folder / f"a{ending}", pictures, codec, "yuva420p", options=options)
    right = Right(shown(pictures), near=0.0 if lossless else 3.0, alpha_excuse="alpha|transparen")
    return Drawn(f"a{ending}", right)


def _beside(how: str, folder: Path, rng: np.random.Generator) -> Drawn:
    if how.startswith("aspect"):
        output = how.replace("aspect-", "o.")
        pictures = _x264(folder, rng, aspect=Fraction(4, 3))
        excuse = "(?!)" if output in ("o.mp4", "o.mov", "o.mkv") else "4:3 wide"
        carries = (Carried("aspect", Fraction(4, 3), excuse),)
        return Drawn("a.mp4", Right(shown(pictures), carries=carries, exact=output == "o.nut"), output=output)
    if how == "one-frame":
        return Drawn("a.mp4", Right(shown(_x264(folder, rng, count=1))))
    if how == "sound":
        pictures = _x264(folder, rng, more=_sound)
        with av.open(str(folder / "a.mp4")) as container:
            packets = sum(1 for packet in container.demux(container.streams.audio[0]) if packet.size)
        return Drawn("a.mp4", Right(shown(pictures), carries=(Carried("audio", packets, "(?!)"),)))
    if how in ("sound-only-mp4", "sound-only-wav"):
        name = "a.mp4" if how.endswith("mp4") else "a.wav"
        with av.open(str(folder / name), "w") as output:
            _sound(output, codec="aac" if how.endswith("mp4") else "pcm_s16le")()
        return Drawn(name, Refused("no video stream|sound"))
    if how in ("cover", "cover-only"):
        return _cover(how, folder, rng)
    if how == "two-pictures":
        second = frames("yuv420p", 32, 16, 4, rng, lossy=False)

        def beside(output: Any) -> Callable[[], None]:
            stream = output.add_stream("libx264", rate=25, options=X264)
            stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"

            def finish() -> None:
                for number, picture in enumerate(second):
                    picture.pts, picture.time_base = number, Fraction(1, 25)
                    output.mux(stream.encode(picture))
                output.mux(stream.encode(None))

            return finish

        pictures = _x264(folder, rng, more=beside)
        return Drawn("a.mp4", Right(shown(pictures), notes=("several picture streams|second|further",)))
    if how == "chapters":

        def marked(output: Any) -> Callable[[], None]:
            base = Fraction(1, 1000)
            output.set_chapters([
                {"id": n, "start": 80 * n, "end": 80 * n + 80, "time_base": base, "metadata": {"title": f"part {n}"}}
                for n in range(2)
            ])  # fmt: skip
            return lambda: None

        pictures = _x264(folder, rng, ".mkv", more=marked)
        return Drawn("a.mkv", Right(shown(pictures), carries=(Carried("chapters", 2, "chapter"),)))
    if how == "full-range":
        pictures = _x264(folder, rng, tags=(1, 1, 1, 2))
        return Drawn("a.mp4", Right(shown(pictures), meaning={"range": "full", "matrix": 1}))
    if how == "bt601":
        pictures = _x264(folder, rng, tags=(6, 6, 6, 1))
        return Drawn("a.mp4", Right(shown(pictures), meaning={"matrix": 6, "primaries": 6, "transfer": 6}))
    if how == "p3":
        pictures = _x264(folder, rng, tags=(12, 13, 1, 1))
        return Drawn("a.mp4", Right(shown(pictures), meaning={"primaries": 12, "transfer": 13, "matrix": 1}))
    if how == "untagged":
        pictures = _x264(folder, rng, tags=(2, 2, 2, 0))
        return Drawn("a.mp4", Right(shown(pictures), meaning={"matrix": 6}, notes=("the file does not say",)))
    if how == "c2pa":
        pictures = _x264(folder, rng)
        path = folder / "a.mp4"
        data = path.read_bytes()
        # After ftyp, where it belongs; sample offsets count from the file's start, so the box goes to its end instead.
        path.write_bytes(data + struct.pack(">I4s", 40, b"uuid") + _C2PA + bytes(16))
        return Drawn("a.mp4", Right(shown(pictures), notes=("Content Credentials|C2PA",)))
    pictures = _x264(folder, rng, count=8, container={"movflags": "faststart"} if how != "index-lost" else {})
    path = folder / "a.mp4"
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) * 3 // 4])
        return Drawn("a.mp4", Refused("--allow-truncated"))
    if how == "index-lost":
        path.write_bytes(data[: len(data) * 3 // 4])
        return Drawn("a.mp4", Refused("index"))
    if how == "head-only":
        path.write_bytes(data[:24])
        return Drawn("a.mp4", Refused("a\\.mp4"))
    if how == "garbage-behind":
        path.write_bytes(data + rng.bytes(1000))
        return Drawn("a.mp4", Right(shown(pictures)))
    assert how == "named-png"
    (folder / "a.png").write_bytes(data)
    return Drawn("a.png", Right(shown(pictures), or_refused="clip|MP4|video"))


def _cover(how: str, folder: Path, rng: np.random.Generator) -> Drawn:
    """An attached picture, such as the cover of an album."""
    art = frames("yuvj420p", 32, 32, 1, rng, lossy=True)[0]

    def beside(output: Any) -> Callable[[], None]:
        sing = _sound(output) if how == "cover-only" else None
        stream = output.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
        stream.disposition = Disposition.attached_pic

        def finish() -> None:
            art.pts, art.time_base = 0, Fraction(1)
            output.mux(stream.encode(art))
            output.mux(stream.encode(None))
            if sing is not None:
                sing()

        return finish

    if how == "cover-only":
        with av.open(str(folder / "a.mp4"), "w") as output:
            beside(output)()
        return Drawn("a.mp4", Refused("no video stream|cover|sound"))
    return Drawn("a.mp4", Right(shown(_x264(folder, rng, more=beside)), notes=("cover|attached",)))


def _mkv_cut(folder: Path, rng: np.random.Generator) -> Drawn:
    pictures = frames("yuv420p", 64, 48, 24, rng, lossy=False)
    path = encode(folder / "a.mkv", pictures, "ffv1", "yuv420p")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return Drawn("a.mkv", Refused("--allow-truncated"))


def _unknown_codec(folder: Path, rng: np.random.Generator) -> Drawn:
    pictures = frames("yuv420p", 64, 48, 2, rng, lossy=False)
    path = encode(folder / "a.mkv", pictures, "ffv1", "yuv420p")
    path.write_bytes(path.read_bytes().replace(b"V_FFV1", b"V_XYZ1"))
    return Drawn("a.mkv", Refused("codec"))


def _resized(folder: Path, rng: np.random.Generator) -> Drawn:
    """A stream whose frames change their size."""
    with av.open(str(folder / "a.nut"), "w") as output:
        stream = output.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number, width in enumerate((64, 96)):
            context = av.CodecContext.create("mjpeg", "w")
            context.width, context.height, context.pix_fmt, context.time_base = width, 48, "yuvj420p", Fraction(1, 25)
            picture = frames("yuvj420p", width, 48, 1, rng, lossy=True)[0]
            picture.pts, picture.time_base = number, Fraction(1, 25)
            for packet in context.encode(picture) + context.encode(None):
                packet.stream = stream
                output.mux(packet)
    return Drawn("a.nut", Refused("changes from"))


_BESIDE = (
    "aspect-mp4", "aspect-mov", "aspect-mkv", "aspect-webm", "aspect-nut",
    "one-frame", "sound", "sound-only-mp4", "sound-only-wav", "cover", "cover-only", "two-pictures",
    "chapters", "full-range", "bt601", "p3", "untagged", "c2pa", "truncated", "index-lost", "head-only",
    "garbage-behind", "named-png",
)  # fmt: skip
_TIMES = (
    "vfr-mp4", "vfr-mkv", "ntsc", "late", "bframes", "ts", "no-pts", "no-pts-bframes", "avi", "negative",
)  # fmt: skip


def sketches() -> Iterator[Sketch]:
    yield from _codecs()
    for ending in (".mp4", ".mov", ".mkv"):
        for degrees in (90, 180, 270):
            yield Sketch("clip", f"turned-{degrees}-{ending[1:]}", partial(_turned, ending, degrees, False))
    yield Sketch("clip", "mirrored-90-mp4", partial(_turned, ".mp4", 90, True))
    for how in _TIMES:
        yield Sketch("clip", f"times-{how}", partial(_times, how))
    for how in ("begin", "both"):
        yield Sketch("clip", f"edit-list-{how}", partial(_edit_list, how))
    for ending, codec, order, output, preset in (
        (".mp4", "libx264", "tff", "o.mp4", "video/h264"), (".mp4", "libx264", "bff", "o.mp4", "video/h264"),
        (".mp4", "libx264", "tff", "o.mov", "video/master"), (".mp4", "libx264", "tff", "o.mp4", "video/hevc10"),
        (".mp4", "libx264", "tff", "o.webm", "video"), (".mp4", "libx264", "tff", "o.nut", "video"),
        (".mp4", "libx264", "tff", "o.mp4", "social/reel"), (".mp4", "libx264", "tff", "f_%03d.png", "video/sequence"),
        (".mov", "prores_ks", "bff", "o.mov", "video/master"), (".mpg", "mpeg2video", "bff", "o.mp4", "video/h264"),
    ):  # fmt: skip
        name = f"fields-{codec.partition('_')[0]}-{order}-{preset.replace('/', '-')}-{output.rpartition('.')[2]}"
        yield Sketch("clip", name, partial(_fields, ending, codec, order, output, preset))
    for how in ("hdr10", "hdr10-social", "hdr10-prores", "hlg"):
        yield Sketch("clip", how, partial(_hdr, how))
    for ending in (".mp4", ".mov", ".mkv", ".webm"):
        for output in ("o.mp4", "o.mov", "o.mkv", "o.webm"):
            yield Sketch("clip", f"texts-{ending[1:]}-to-{output[2:]}", partial(_texts, ending, output))
    for codec, ending in (("libvpx-vp9", ".webm"), ("libvpx-vp9", ".mkv"), ("libvpx", ".webm")):
        yield Sketch("clip", f"alpha-{codec.replace('lib', '')}-{ending[1:]}", partial(_alpha, codec, ending))
    for how in _BESIDE:
        yield Sketch("clip", how, partial(_beside, how))
    yield Sketch("clip", "truncated-mkv", _mkv_cut)
    yield Sketch("clip", "unknown-codec", _unknown_codec)
    yield Sketch("clip", "resized", _resized)
