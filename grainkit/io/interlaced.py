"""Interlaced pictures in words: what is said of them, which encoders keep their fields, and what helps elsewhere."""

from __future__ import annotations

#: What to do with fields that cannot be kept.
DEINTERLACE = "deinterlace it first, for example with ffmpeg -i IN -vf bwdif -c:v ffv1 -c:a copy OUT.mkv"

#: Encoders whose streams say of each picture which of its fields is first. HEVC wants fields as pictures of their own;
#: VP8, VP9 and AV1 know no fields.
KEEPS_FIELDS = ("libx264", "prores_ks", "prores", "dnxhd", "ffv1", "mpeg2video")

_FIRST = {"tff": "top field first", "bff": "bottom field first", "mixed": "each frame as it says"}


def interlaced_note(order: str) -> str:
    """What is done to an interlaced source, in a sentence. order: tff, bff or mixed."""
    return f"interlaced ({_FIRST[order]}); the two fields are left as they are (deinterlace first for a clean result)"
