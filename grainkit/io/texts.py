"""Generators' texts in EXIF: PNG's `parameters`, `prompt` and `workflow` where their own tools look for them.

A1111 writes and reads `parameters` as EXIF's UserComment, in UTF-16 (modules/images.py of stable-diffusion-webui, by
piexif). ComfyUI writes `prompt` into Model and `workflow` into Make of its WebPs, each behind its name and a colon, and
reads them out of any text tag of the main directory (nodes_images.py of ComfyUI, src/scripts/pnginfo.ts of its front
end), so that where a camera has its name there, ImageDescription or DocumentName will do.
"""

from __future__ import annotations

from dataclasses import dataclass

from grainkit.io import exif as exif_block
from grainkit.io.base import StillMetadata

PARAMETERS, PROMPT, WORKFLOW = "parameters", "prompt", "workflow"
_DOCUMENT_NAME, _DESCRIPTION, _MAKE, _MODEL = 269, 270, 271, 272
#: Text to the tags it may go into, the first that is free; the smaller texts come first where there is little room.
_TAGS = {PROMPT: (_MODEL, _DESCRIPTION, _DOCUMENT_NAME), WORKFLOW: (_MAKE, _DESCRIPTION, _DOCUMENT_NAME)}
_NAMES = {_DOCUMENT_NAME: "DocumentName", _DESCRIPTION: "ImageDescription"}
_UNICODE = b"UNICODE\0"
#: What every A1111 text has, and hardly a photographer's comment.
_STEPS = "Steps: "


@dataclass(frozen=True)
class Placed:
    """An EXIF block with the texts that went into it. left: keywords of those that did not, in order.

    notes: what there is to say of it, a sentence each.
    """

    exif: bytes | None
    left: tuple[str, ...]
    notes: tuple[str, ...] = ()


def in_exif(metadata: StillMetadata, room: int) -> Placed:
    """The picture's EXIF with its generator's texts in it, of at most `room` bytes. No tag that it has is changed."""
    block, notes = metadata.exif, []
    carried: set[int] = set()
    first = {keyword: number for number, (keyword, _) in reversed(list(enumerate(metadata.text)))}
    for keyword in (PARAMETERS, PROMPT, WORKFLOW):
        if keyword not in first:
            continue
        text = metadata.text[first[keyword]][1].replace("\0", "")
        tags: dict[int, bytes] = {}
        comment, instead = None, ""
        if keyword == PARAMETERS:
            if exif_block.user_comment(block or b"").strip(b"\0 ")[8:].strip(b"\0 "):
                notes.append("its EXIF has a UserComment of its own, where parameters would go")
                continue
            comment = _UNICODE + text.encode("utf-16-be", "replace")
        else:
            taken = exif_block.texts(block) if block else {}
            free = [tag for tag in _TAGS[keyword] if not taken.get(tag, b"").strip()]
            if not free:
                notes.append(f"the text tags of its EXIF are in use, where {keyword} would go")
                continue
            instead = _NAMES.get(free[0], "")
            tags[free[0]] = f"{keyword}:{text}".encode("utf-8", "replace")
        with_it = exif_block.with_tags(block, tags, comment)
        if len(with_it) > room:
            notes.append(f"{keyword} of {len(text):,} characters does not fit into an EXIF of {room:,} bytes")
            continue
        if instead:
            notes.append(f"its EXIF names a camera: {keyword} is in {instead}")
        block = with_it
        carried.add(first[keyword])
    left = tuple(keyword for number, (keyword, _) in enumerate(metadata.text) if number not in carried)
    return Placed(block, left, tuple(notes))


def out_of_exif(metadata: StillMetadata) -> tuple[tuple[str, str], ...]:
    """The picture's texts, and those of a generator that only its EXIF has: (keyword, text), for a PNG."""
    found = dict(metadata.text)
    more = []
    if metadata.exif:
        for value in exif_block.texts(metadata.exif).values():
            keyword, colon, text = value.decode("utf-8", "replace").partition(":")
            if colon and keyword in (PROMPT, WORKFLOW) and text.lstrip().startswith("{") and keyword not in found:
                more.append((keyword, text))
        comment = exif_block.user_comment(metadata.exif)
        if PARAMETERS not in found and comment.startswith(_UNICODE):
            text = comment[len(_UNICODE) :].decode(_byte_order(comment[len(_UNICODE) :]), "replace").strip("\0")
            more += [(PARAMETERS, text)] if _STEPS in text else []
    return (*metadata.text, *more)


def _byte_order(text: bytes) -> str:
    """Of UTF-16, which EXIF leaves open: where the zeros of its Latin letters stand."""
    return "utf-16-le" if text[1::2].count(0) > text[::2].count(0) else "utf-16-be"
