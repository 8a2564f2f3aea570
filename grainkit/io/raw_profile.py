"""ImageMagick's and ExifTool's way to keep EXIF, XMP and ICC in a PNG: as hexadecimal text, "Raw profile type NAME".

PNG has had places of its own for all three since 2017 (eXIf; iTXt for XMP and iCCP long before), so what comes in as
text goes out where other readers look, and the text, whose orientation would no longer be true, does not go out too.
"""

from __future__ import annotations

from grainkit.io import exif as exif_block

_KEYWORD = "Raw profile type "
_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
_KINDS = {"exif": "exif", "app1": "exif", "xmp": "xmp", "icc": "icc", "icm": "icc"}


def kind(keyword: str) -> str:
    """exif, xmp or icc, as the keyword says; '' for other texts, raw IPTC among them, which stays a text."""
    name = keyword.removeprefix(_KEYWORD)
    return _KINDS.get(name.lower(), "") if name != keyword else ""


def unpack(keyword: str, text: str) -> tuple[str, bytes]:
    """(exif, xmp or icc; its bytes) of a text that `kind` knows. Raises ValueError where it is damaged.

    The text is a name, the number of bytes, and those in hexadecimal, over many lines. APP1 may be EXIF or XMP.
    """
    words = text.split(maxsplit=2)
    if len(words) < 3 or not words[1].isdecimal():
        raise ValueError("it does not say how long it is")
    body = bytes.fromhex(words[2])
    if len(body) != int(words[1]):
        raise ValueError(f"it has {len(body)} bytes, not {words[1]}")
    if body.startswith(_XMP_NAME):
        return "xmp", body[len(_XMP_NAME) :]
    found = kind(keyword)
    return found, exif_block.bare(body) if found == "exif" else body
