"""What a file is that is neither still nor clip, and what to do about it: by its first bytes, at last by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from grainkit.io.still_formats import format_by_ending, format_titles

#: How many bytes of a file `foreign` wants to see; fewer tell less.
FOREIGN_HEAD = 2048


@dataclass(frozen=True)
class Foreign:
    """what: completes "it holds ..."; remedy: what to do about it, without a full stop."""

    what: str
    remedy: str


_SAVE = f"stills are {format_titles()}: save it as one of these"
_FLATTEN = "export a flattened copy as 16-bit TIFF or PNG"
_DEVELOP = "develop it and save it as a 16-bit TIFF"
_RENDER = "export the page or drawing as PNG or TIFF, as large as it is needed"
_UNPACK = "unpack it, and give what is in it"
_DOWNLOAD = "download the file itself: what is behind a login or a share link often arrives as a page"

#: First bytes to what they begin; longer ones before those that they begin with.
_BEGINNINGS: tuple[tuple[bytes, Foreign], ...] = (
    (b"GIF87a", Foreign("GIF", f"{_SAVE}, an animation as a clip")),
    (b"GIF89a", Foreign("GIF", f"{_SAVE}, an animation as a clip")),
    (b"\xff\x0a", Foreign("JPEG XL", _SAVE)),
    (b"\0\0\0\x0cJXL ", Foreign("JPEG XL", _SAVE)),
    (b"\0\0\0\x0cjP  ", Foreign("JPEG 2000", _SAVE)),
    (b"\xff\x4f\xff\x51", Foreign("JPEG 2000", _SAVE)),
    (b"II\xbc\x01", Foreign("JPEG XR", _SAVE)),
    (b"8BPS", Foreign("a Photoshop document", _FLATTEN)),
    (b"gimp xcf", Foreign("a GIMP project", _FLATTEN)),
    (b"#?RADIANCE", Foreign("Radiance HDR", "save it as EXR")),
    (b"DDS ", Foreign("a DDS texture", _SAVE)),
    (b"qoif", Foreign("QOI", _SAVE)),
    (b"\0\0\1\0", Foreign("an icon (ICO)", "save its largest picture as PNG")),
    (b"\0\0\2\0", Foreign("TGA or a cursor", _SAVE)),
    (b"icns", Foreign("an icon (ICNS)", "save its largest picture as PNG")),
    (b"FUJIFILMCCD-RAW", Foreign("a camera's raw file (RAF)", _DEVELOP)),
    (b"IIRO", Foreign("a camera's raw file (ORF)", _DEVELOP)),
    (b"IIRS", Foreign("a camera's raw file (ORF)", _DEVELOP)),
    (b"MMOR", Foreign("a camera's raw file (ORF)", _DEVELOP)),
    (b"IIU\0", Foreign("a camera's raw file (RW2)", _DEVELOP)),
    (b"FOVb", Foreign("a camera's raw file (X3F)", _DEVELOP)),
    (b"\0MRM", Foreign("a camera's raw file (MRW)", _DEVELOP)),
    (b"%PDF-", Foreign("a PDF document", _RENDER)),
    (b"%!PS", Foreign("PostScript", _RENDER)),
    (b"version https://git-lfs.github.com/", Foreign("a Git LFS pointer, not the file it stands for",
                                                     "run `git lfs pull` where it was checked out")),
    (b"PK\3\4", Foreign("a ZIP archive", _UNPACK)),
    (b"PK\5\6", Foreign("a ZIP archive with nothing in it", "make it again")),
    (b"Rar!", Foreign("a RAR archive", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", Foreign("a 7z archive", _UNPACK)),
    (b"\x1f\x8b", Foreign("a gzip archive", _UNPACK)),
    (b"\xfd7zXZ\0", Foreign("an xz archive", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", Foreign("a Zstandard archive", _UNPACK)),
    (b"BZh", Foreign("a bzip2 archive", _UNPACK)),
    (b"\x93NUMPY", Foreign("a NumPy array", "save it as a 16-bit PNG or TIFF")),
    (b"\x7fELF", Foreign("a program", "give a picture or a clip")),
    (b"MZ", Foreign("a program", "give a picture or a clip")),
)  # fmt: skip

#: Brands of ISO base media files that hold stills (ISO/IEC 23008-12, AVIF, Canon's CR3).
_BRANDS = {
    b"avif": Foreign("AVIF", _SAVE), b"avis": Foreign("AVIF", _SAVE),
    b"crx ": Foreign("a camera's raw file (CR3)", _DEVELOP),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), Foreign("HEIC", _SAVE)),
    **dict.fromkeys((b"mif1", b"msf1", b"mif2"), Foreign("HEIF", _SAVE)),
}  # fmt: skip

#: Endings of what has no first bytes to tell it by, or those of TIFF.
_RAW_ENDINGS = frozenset({
    ".3fr", ".arw", ".cr2", ".cr3", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef",
    ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
})  # fmt: skip
_ENDINGS = {ending: Foreign("TGA", _SAVE) for ending in (".tga", ".icb", ".vda", ".vst", ".targa")}
#: Endings of stills that are not read; what bears one gets no message about clips.
_OTHER_STILLS = _RAW_ENDINGS | _ENDINGS.keys() | {
    ".apng", ".avif", ".bmp", ".dds", ".gif", ".hdr", ".heic", ".heif", ".hif", ".ico", ".jp2", ".j2k", ".jxl", ".jxr",
    ".mpo", ".pcx", ".pbm", ".pgm", ".ppm", ".pnm", ".psb", ".psd", ".qoi", ".svg", ".xcf",
}  # fmt: skip

#: How clips begin, those that FFmpeg is asked about whatever they are called.
_CLIPS = (
    b"\x1a\x45\xdf\xa3", b"YUV4MPEG2", b"OggS", b"FLV\1", b"\0\0\1\xba", b"\0\0\1\xb3", b"\x30\x26\xb2\x75", b"DKIF",
    b"\x06\x0e\x2b\x34", b".RMF", b"\0\0\1", b"\0\0\0\1", b"\x12\0\x0a", b"ID3", b"fLaC",
)  # fmt: skip
_CLIP_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_TS_PACKET = 188


def promises_still(path: Path) -> bool:
    """Does the ending promise a still, whether grainkit reads it or not?"""
    return path.suffix.lower() in _OTHER_STILLS or format_by_ending(path) is not None


def begins_like_a_clip(head: bytes) -> bool:
    """Do the first bytes look like a clip or sound that FFmpeg may know?"""
    if head.startswith(b"RIFF"):
        return head[8:12] in (b"AVI ", b"WAVE")
    if head[4:8] in _CLIP_BOXES:
        return head[4:8] != b"ftyp" or head[8:12] not in _BRANDS
    stream = head[:1] == b"\x47" and head[_TS_PACKET : _TS_PACKET + 1] == b"\x47"
    return stream or head.startswith(_CLIPS)


def foreign(head: bytes, path: Path) -> Foreign | None:
    """What a file is that begins like this and is no still that is read; None where nobody knows, and for clips."""
    for beginning, found in _BEGINNINGS:
        if head.startswith(beginning):
            return found
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if begins_like_a_clip(head):
        return None
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return Foreign("BMP", _SAVE)
    if re.match(rb"P[1-7][\s#]", head):
        return Foreign("a Netpbm picture", _SAVE)
    if head[257:262] == b"ustar":
        return Foreign("a tar archive", _UNPACK)
    if head[8:10] == b'{"' and head[2:8] == bytes(6):
        return Foreign("model weights (safetensors)", "give a picture that the model made")
    if head and not head.strip(b"\0"):
        return Foreign("nothing but zeros, as broken copies and downloads do", "copy or export it again")
    return _text(head, path) or _ENDINGS.get(path.suffix.lower())


def raw(head: bytes, path: Path) -> Foreign | None:
    """A camera's raw file that begins like any TIFF, told by Canon's mark or by its ending."""
    ending = ".cr2" if head[8:10] == b"CR" else path.suffix.lower()
    return Foreign(f"a camera's raw file ({ending[1:].upper()})", _DEVELOP) if ending in _RAW_ENDINGS else None


def _of_brands(head: bytes) -> Foreign | None:
    """By the major brand, and of a general one by those that it is compatible with."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    if brands[0] not in _BRANDS:
        return None
    exact = [brand for brand in brands if brand in _BRANDS and _BRANDS[brand].what != "HEIF"]
    return _BRANDS[exact[0] if exact else brands[0]]


def _text(head: bytes, path: Path) -> Foreign | None:
    """What a text is; None for bytes that are none. A character that the end of `head` cuts through does no harm."""
    mark = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(head[:2])
    try:
        text = head[: len(head) & ~1].decode(mark) if mark else head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(head) - error.start > 3:
            return None
        text = head[: error.start].decode(mark or "utf-8-sig")
    words = text.lstrip("\ufeff \t\r\n").lower()
    if not words or any(c < " " and c not in "\t\n\r\f\x1b" for c in words):
        return None
    if words.startswith(("<!doctype html", "<html", "<head", "<body")) or "<html" in words:
        return Foreign("a web page (HTML)", _DOWNLOAD)
    if "<svg" in words:
        return Foreign("an SVG drawing", _RENDER)
    if words.startswith("<"):
        return Foreign("XML", "give a picture or a clip")
    if words.startswith(("{", "[")):
        if '"class_type"' in words or '"last_node_id"' in words or '"nodes"' in words:
            return Foreign("a ComfyUI workflow (JSON)", "give the picture or clip that it makes")
        return Foreign("JSON", "give a picture or a clip; an error message in it may say why there is none")
    if words.startswith(("#extm3u", "ffconcat")):
        return Foreign(
            "a list of other files (HLS, concat)",
            "no lists of other files are read: give a clip that holds its pictures",
        )
    if promises_still(path):
        return Foreign("plain text, no picture that grainkit knows", "give a picture")
    return Foreign("plain text, not a clip that can be read", "give a picture or a clip")
