"""What is no picture, pipes, numbered sequences and names, for the corpus."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks._corpus_case import Array, Carried, Drawn, Picture, Refused, Right, Sketch, noise, size
from benchmarks._corpus_png import RGB, png

_HTML = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n"
_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


def _boxed(brand: bytes) -> bytes:
    return (
        struct.pack(">I4s4sI4s4s", 24, b"ftyp", brand, 0, b"mif1", brand) + struct.pack(">I4s", 16, b"meta") + bytes(8)
    )


def _zip() -> bytes:
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w") as archive:
        archive.writestr("a.txt", "x")
    return room.getvalue()


def _pillow(form: str, **options: Any) -> bytes:
    room = io.BytesIO()
    Image.new("RGB", (16, 12), (90, 120, 60)).save(room, form, **options)
    return room.getvalue()


#: What a file may hold instead of a picture that grainkit reads, and what its message must call it.
CONTENTS: dict[str, tuple[bytes, str]] = {
    "html": (_HTML, "HTML|web page"),
    "text": (b"This is only a note about the picture.\n" * 3, "text"),
    "json": (b'{"prompt": {"3": {"class_type": "KSampler"}}}', "JSON|text"),
    "lfs-pointer": (_POINTER, "LFS"),
    "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>\n', "SVG"),
    "svg-bare": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>\n', "SVG"),
    "pdf": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n", "PDF"),
    "psd": (b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(20), "Photoshop"),
    "heic": (_boxed(b"heic"), "HEIC|HEIF"),
    "avif": (_boxed(b"avif"), "AVIF"),
    "jxl": (b"\xff\x0a" + bytes(30), "JPEG XL"),
    "jxl-boxed": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(30), "JPEG XL"),
    "jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(30), "JPEG 2000"),
    "gif": (_pillow("GIF"), "GIF"),
    "bmp": (_pillow("BMP"), "BMP"),
    "tga": (_pillow("TGA"), "TGA|Targa"),
    "ico": (_pillow("ICO"), "ICO|icon|holds|not"),
    "ppm": (_pillow("PPM"), "PPM|PNM|Netpbm|holds"),
    "cr3": (struct.pack(">I4s4sI", 24, b"ftyp", b"crx ", 1) + b"crx isom" + bytes(40), "raw|CR3"),
    "raf": (b"FUJIFILMCCD-RAW 0201FF383501" + bytes(60), "raw|RAF"),
    "rw2": (b"IIU\0" + struct.pack("<I", 24) + bytes(60), "raw|RW2"),
    "orf": (b"IIRO" + struct.pack("<I", 8) + bytes(60), "raw|ORF"),
    "zip": (_zip(), "ZIP|archive|zip"),
    "zeros": (bytes(5000), "zero|empty|holds|damaged|not"),
    "random": (bytes(np.random.default_rng(3).integers(128, 256, 5000, np.uint8)), "holds|not|damaged"),
    "one-byte": (b"\x89", "a\\."),
    "empty": (b"", "empty"),
    "playlist": (b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nb.ts\n", "list|text"),
    "concat": (b"ffconcat version 1.0\nfile b.mp4\n", "list|text|not"),
    "recipe": (b"grainkit: 1\nextends: social\n", "recipe|text|not"),
}


def _content(name: str, ending: str, folder: Path, rng: np.random.Generator) -> Drawn:
    data, words = CONTENTS[name]
    (folder / f"a{ending}").write_bytes(data)
    return Drawn(f"a{ending}", Refused(words))


def _no_file(how: str, folder: Path, rng: np.random.Generator) -> Drawn:
    picture = png(noise(rng, 5, 4, 3, np.uint8), RGB, 8, rng)
    if how == "fifo":
        os.mkfifo(folder / "a.png")
        return Drawn("a.png", Refused("no regular file|pipe"))
    if how == "folder-named-png":
        (folder / "a.png").mkdir()
        return Drawn("a.png", Refused("no stills"))
    if how == "folder-empty":
        (folder / "a").mkdir()
        return Drawn("a", Refused("no stills"))
    if how == "missing":
        (folder / "portrait.png").write_bytes(picture)
        return Drawn("portriat.png", Refused("no such file.*portrait\\.png"))
    if how == "missing-folder":
        return Drawn("nowhere/a.png", Refused("no such file"))
    if how == "link-broken":
        (folder / "a.png").symlink_to("nowhere.png")
        return Drawn("a.png", Refused("no such file"))
    if how == "link-loop":
        (folder / "a.png").symlink_to("a.png")
        return Drawn("a.png", Refused("cannot be read|symbolic links"))
    if how == "url":
        return Drawn("https://example.org/a.png", Refused("URL|download|web address|address"))
    assert how == "home-quoted"
    return Drawn("~/grainkit-no-such-file.png", Refused("~|no such file"))


# ------------------------------------------------------------------------------------------- Y4M


def _stream(
    chroma: str, depth: int, sides: tuple[int, int], count: int, rng: np.random.Generator, tags: str = ""
) -> tuple[bytes, list[Picture]]:
    """A Y4M stream of noise. chroma: the C tag, '' for none."""
    width, height = sides
    across, down = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "mon": (0, 0)}[(chroma or "420")[:3]]
    shapes = [(height, width)] + ([(-(-height // down), -(-width // across))] * 2 if across else [])
    head = f"YUV4MPEG2 W{width} H{height} F25:1 {tags or 'Ip A1:1'}{f' C{chroma}' if chroma else ''}\n"
    made, pictures = [head.encode()], []
    for _ in range(count):
        dtype = np.uint8 if depth == 8 else np.uint16
        planes = tuple(rng.integers(0, (1 << depth) - 1, shape, dtype, endpoint=True) for shape in shapes)
        stored = [plane if depth == 8 else plane.astype("<u2") for plane in planes]
        made.append(b"FRAME\n" + b"".join(plane.tobytes() for plane in stored))
        pictures.append(Picture(planes))
    return b"".join(made), pictures


def _y4m(
    chroma: str, depth: int, tags: str, piped: bool, meaning: dict[str, Any], folder: Path, rng: np.random.Generator
) -> Drawn:
    data, pictures = _stream(chroma, depth, size(rng, 11), 3, rng, tags)
    (folder / "a.y4m").write_bytes(data)
    interlaced = " It" in f" {tags}" or " Ib" in f" {tags}"
    carries = (Carried("interlaced", True, "(?!)"),) if interlaced else ()
    right = Right(
        tuple(pictures), meaning=meaning, carries=carries, notes=("interlaced",) if interlaced else (),
        or_refused="interlaced" if interlaced else "",
    )  # fmt: skip
    return Drawn("a.y4m", right, output="-" if piped else "o", piped=piped)


def _y4m_odd(how: str, folder: Path, rng: np.random.Generator) -> Drawn:
    data, pictures = _stream("420jpeg", 8, (17, 11), 3, rng)
    head, _, rest = data.partition(b"\n")
    expects: Right | Refused = Refused("-")
    if how == "cut":
        data, expects = data[:-5], Refused("truncated")
    elif how == "cut-first":
        data, expects = data[: len(head) + 20], Refused("truncated")
    elif how == "header-alone":
        data, expects = head + b"\n", Refused("no frame|0 frames|empty|holds")
    elif how == "nothing":
        data, expects = b"", Refused("empty")
    elif how == "no-size":
        data, expects = b"YUV4MPEG2 F25:1\n" + rest, Refused("size")
    elif how == "size-0":
        data, expects = head.replace(b"W17", b"W0") + b"\n" + rest, Refused("size")
    elif how == "size-huge":
        data, expects = head.replace(b"W17", b"W1000000") + b"\n" + rest, Refused("pixels|truncated")
    elif how == "size-words":
        data, expects = head.replace(b"W17", b"W-17") + b"\n" + rest, Refused("size")
    elif how == "chroma-411":
        data, expects = head.replace(b"C420jpeg", b"C411") + b"\n" + rest, Refused("C411|411")
    elif how == "chroma-alpha":
        data, expects = head.replace(b"C420jpeg", b"C444alpha") + b"\n" + rest, Refused("444alpha")
    elif how == "rate-0":
        data = head.replace(b"F25:1", b"F0:0") + b"\n" + rest
        expects = Right(tuple(pictures), notes=("rate",))
    elif how == "no-line-end":
        data, expects = b"YUV4MPEG2 W17 H11" + b" Xlong" * 2000, Refused("truncated|damaged|line|header")
    elif how == "no-y4m":
        data, expects = b"\x89PNG\r\n\x1a\n" + bytes(100), Refused("Y4M")
    elif how == "frame-words":
        data = head + b"\n" + rest.replace(b"FRAME\n", b"FRAME Ip Xmine=1\n", 1)
        expects = Right(tuple(pictures))
    else:
        assert how == "frame-lost"
        data, expects = (
            head + b"\n" + rest[: len(rest) // 3] + b"FRAME" + rest[len(rest) // 3 :],
            Refused("FRAME|truncated"),
        )
    (folder / "a.y4m").write_bytes(data)
    return Drawn("a.y4m", expects, output="-", piped=True)


_Y4M_ODD = (
    "cut", "cut-first", "header-alone", "nothing", "no-size", "size-0", "size-huge", "size-words", "chroma-411",
    "chroma-alpha", "rate-0", "no-line-end", "no-y4m", "frame-words", "frame-lost",
)  # fmt: skip


def _pipes() -> Iterator[Sketch]:
    def made(name: str, *how: Any) -> Sketch:
        return Sketch("y4m", name, partial(_y4m, *how))

    for chroma, depth in (
        ("", 8), ("420jpeg", 8), ("420mpeg2", 8), ("420paldv", 8), ("422", 8), ("444", 8), ("mono", 8), ("420p10", 10),
        ("422p10", 10), ("444p10", 10), ("420p12", 12), ("444p12", 12), ("420p14", 14), ("420p16", 16), ("444p16", 16),
        ("mono10", 10), ("mono16", 16), ("420p9", 9),
    ):  # fmt: skip
        yield made(chroma or "no-chroma", chroma, depth, "", True, {})
    for chroma, depth in (("420jpeg", 8), ("422", 8), ("444p10", 10), ("mono", 8)):
        yield made(f"file-{chroma}", chroma, depth, "", False, {})
    for order in ("It", "Ib"):
        yield made(f"fields-{order}", "420jpeg", 8, f"{order} A1:1", True, {})
        yield made(f"file-fields-{order}", "420mpeg2", 8, f"{order} A1:1", False, {})
    yield made("full", "420jpeg", 8, "Ip A1:1 XCOLORRANGE=FULL", True, {"range": "full"})
    yield made("limited", "420jpeg", 8, "Ip A1:1 XCOLORRANGE=LIMITED", True, {"range": "limited"})
    yield made("file-full", "420jpeg", 8, "Ip A1:1 XCOLORRANGE=FULL", False, {"range": "full"})
    yield made("aspect", "420jpeg", 8, "Ip A4:3", True, {})
    for how in _Y4M_ODD:
        yield Sketch("y4m", how, partial(_y4m_odd, how))


# ------------------------------------------------------------------------------------------- sequences


def _moving(width: int, height: int, count: int, rng: np.random.Generator) -> list[Array]:
    """Frames that neighbours are alike in, as those of a clip are."""
    base = noise(rng, width, height, 3, np.uint8)
    return [np.clip(base.astype(int) + number, 0, 255).astype(np.uint8) for number in range(count)]


def _numbered(how: str, folder: Path, rng: np.random.Generator) -> Drawn:
    place = folder / "frames"
    place.mkdir()
    pattern, numbers = "f_%03d.png", list(range(1, 5))
    if how == "not-padded":
        pattern, numbers = "f_%d.png", [8, 9, 10, 11]
    elif how == "negative-look":
        pattern = "f-%02d.png"
    elif how == "percent":
        pattern = "50%%_%03d.png"
    elif how == "comfyui":
        pattern = "ComfyUI_%05d_.png"
    elif how == "gap":
        numbers = [1, 2, 4, 5]
    elif how == "from-0":
        numbers = [0, 1, 2]
    elif how == "one":
        numbers = [7]
    samples = _moving(40, 24, len(numbers), rng)
    for number, each in zip(numbers, samples, strict=True):
        (place / (pattern % number)).write_bytes(png(each, RGB, 8, rng))
    last = place / (pattern % numbers[-1])
    output, spec = "f_%03d.png", f"frames/{pattern}"
    words = ("--set", "delivery.still.depth=8")
    expects: Right | Refused = Right(tuple(Picture((each,)) for each in samples))
    if how == "gap":
        expects = Refused("f_003\\.png")
    elif how == "sizes":
        last.write_bytes(png(samples[0][:-1], RGB, 8, rng))
        expects = Refused("f_004\\.png")
    elif how == "depths":
        last.write_bytes(png(samples[0].astype(np.uint16) * 257, RGB, 16, rng))
        expects = Refused("f_004\\.png")
    elif how == "damaged":
        last.write_bytes(last.read_bytes()[:-40])
        expects = Refused("f_004\\.png")
    elif how == "no-frames":
        spec, expects = "frames/g_%03d.png", Refused("no file")
    elif how == "two-fields":
        spec, expects = "frames/%03d_%03d.png", Refused("frames|pattern")
    elif how == "folder":
        spec = "frames"
    elif how == "folder-stray":
        (place / "cover.png").write_bytes(png(noise(rng, 33, 31, 3, np.uint8), RGB, 8, rng))
        spec = "frames"
        assert isinstance(expects, Right)
        expects = Right(expects.pictures, notes=("cover\\.png",))
    elif how == "folder-hidden":
        (place / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        (place / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
        (place / "._f_001.png").write_bytes(b"\0\5\x16\7")
        spec = "frames"
    return Drawn(spec, expects, output=output, words=words, preset="video/sequence")


_SEQUENCES = (
    "plain", "not-padded", "negative-look", "percent", "comfyui", "from-0", "one", "gap", "sizes", "depths", "damaged",
    "no-frames", "two-fields", "folder", "folder-stray", "folder-hidden",
)  # fmt: skip

# ------------------------------------------------------------------------------------------- names

_NAMES = {
    "spaces": "a portrait  of mine .png",
    "umlauts": "Porträt Äpfel.png",
    "umlauts-apart": "Portra\u0308t.png",
    "chinese": "人像 01.png",
    "right-to-left": "صورة.png",
    "emoji": "🎞️ film.png",
    "quotes": "it's \"mine\" `x`.png",
    "shell": "a;b&c$(d)|e>f*?[g]{h}!#.png",
    "backslash": "a\\b.png",
    "colon": "http:x.png",
    "percent": "100%.png",
    "percent-field": "f_%05d.png",
    "percent-s": "50%s off.png",
    "newline": "a\nb.png",
    "tab-escape": "a\t\x1b[31mb.png",
    "dots": "...a...png...png",
    "dot": ".hidden.png",
    "no-ending": "portrait",
    "upper": "PORTRAIT.PNG",
    "two-endings": "a.tar.gz.png",
    "colon-yaml": "a: b - #c.png",
    "long": "n" * 240 + ".png",
    "long-enough": "n" * 180 + ".png",
    "not-utf8": os.fsdecode(b"caf\xe9.png"),
    "like-an-output": "a.video.png",
    "like-a-sidecar": "a.grainkit.txt",
    "like-one-under-construction": ".a.png.grainkit-part-0123456789abcdef",
    "sequence-like": "portrait_01.png",
    "plus": "a+b=c,d@e~f.png",
}  # fmt: skip


def _named(name: str, folder: Path, rng: np.random.Generator) -> Drawn:
    """Finished without -o, so that the output is named after the input; a name may be too long for that."""
    samples = noise(rng, 17, 11, 3, np.uint8)
    (folder / name).write_bytes(png(samples, RGB, 8, rng))
    longest = len(os.fsencode(name)) > 200
    return Drawn(
        name, Right((Picture((samples,)),), or_refused="name" if longest else ""), output="",
        words=("--set", "delivery.still.depth=8"),
    )  # fmt: skip


def _dash(given: str, folder: Path, rng: np.random.Generator) -> Drawn:
    samples = noise(rng, 17, 11, 3, np.uint8)
    (folder / "-dash.png").write_bytes(png(samples, RGB, 8, rng))
    expects: Right | Refused = Right((Picture((samples,)),), or_refused="\\./-dash\\.png" if given[0] == "-" else "")
    return Drawn(given, expects)


def sketches() -> Iterator[Sketch]:
    for name in CONTENTS:
        for ending in (".png", ".mp4"):
            yield Sketch("foreign", f"{name}-named-{ending[1:]}", partial(_content, name, ending))
    for name in ("html", "text", "tga", "heic", "psd"):
        yield Sketch("foreign", f"{name}-named-jpg", partial(_content, name, ".jpg"))
    yield Sketch("foreign", "tga-named-tga", partial(_content, "tga", ".tga"))
    for how in (
        "fifo", "folder-named-png", "folder-empty", "missing", "missing-folder", "link-broken", "link-loop", "url",
        "home-quoted",
    ):  # fmt: skip
        yield Sketch("foreign", how, partial(_no_file, how))
    yield from _pipes()
    for how in _SEQUENCES:
        yield Sketch("sequence", how, partial(_numbered, how))
    for key, name in _NAMES.items():
        yield Sketch("name", key, partial(_named, name))
    for given in ("-dash.png", "./-dash.png"):
        yield Sketch("name", f"dash-{'bare' if given[0] == '-' else 'dotted'}", partial(_dash, given))
