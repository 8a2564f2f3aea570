"""What a container keeps of a clip's tags: seen by writing them into a trial file and reading that.

Titles and dates have their place everywhere. Generators write keys of their own (ComfyUI's `prompt` and `workflow`,
often megabytes), which MP4 and MOV hold only in QuickTime's list of named keys (moov/udta/meta/keys), Matroska in upper
case only, and NUT up to 1023 bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

import av

from grainkit.io.base import SourceInfo
from grainkit.io.key_lists import keys_named

#: A codec that each muxer takes without having seen a picture.
_CODECS = {"webm": "vp8"}
#: Bytes that FFmpeg reads of a value; a longer one hides those behind it.
_LONGEST = {"nut": 1023}
#: FFmpeg says a tag again with its language: `location-eng` beside `location`.
_LANGUAGE = re.compile(r"(.+)-[a-z]{3}")
#: Rewritten by containers in their own digits, and said twice by MP4 with named keys, which FFmpeg 9 joins by a ;
_REWRITTEN = ("location", "creation_time")
#: Keys that are not all lower case where they are at home.
_CASED = {key.lower(): key for key in ("com.apple.quicktime.location.ISO6709",)}


#: Texts of generators, which stills keep as text chunks.
GENERATED = ("prompt", "workflow", "parameters")
#: Tags that describe the old file, not its content.
_OWN_TO_FILE = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|rotate|duration(-.*)?|bps(-.*)?|number_of_.*|_statistics_.*"
    r"|vendor_id|xmp|timecode|alpha_mode",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class TagPlan:
    """How tags are written. named_keys: as QuickTime's named keys. kept: the tags. lost: keys that find no place."""

    named_keys: bool
    kept: dict[str, str]
    lost: tuple[str, ...]


def plan_tags(muxer: str, tags: Mapping[str, str]) -> TagPlan:
    """How this muxer of FFmpeg's holds the most of these tags; QuickTime's named keys only where they hold more."""
    fitting = {key: value for key, value in tags.items() if len(value.encode()) <= _LONGEST.get(muxer, 1 << 31)}
    plain = _held(muxer, fitting, named_keys=False)
    lost = tuple(key for key in tags if key not in plain)
    if lost and muxer in ("mp4", "mov"):
        named = _held(muxer, tags, named_keys=True)
        if len(named) > len(plain):
            return TagPlan(True, named, tuple(key for key in tags if key not in named))
    return TagPlan(False, plain, lost)


def content(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags without those that describe the file they were in."""
    return {key: value for key, value in tags.items() if not _OWN_TO_FILE.fullmatch(key)}


def left_behind(info: SourceInfo, kind: str) -> list[str]:
    """Notes on what of a source does not go along where it becomes another kind: clip, sequence (of stills) or pipe."""
    if info.kind == "sequence" and kind != "sequence":
        blocks = {"ICC profile": info.still.icc, "EXIF": info.still.exif}
        return [f"{name} left out: a {kind} holds none" for name, block in blocks.items() if block]
    what = {"sequence": "a sequence of stills", "pipe": "Y4M"}.get(kind)
    if what is None or info.kind != "clip":
        return []
    kept = GENERATED if kind == "sequence" else ()
    lost = [key for key in info.metadata if key not in kept and (key == "timecode" or content({key: ""}))]
    notes = [f"sound left out: {what} holds none"] if info.has_audio else []
    return notes + ([f"tags left out: {keys_named(lost)}: {what} holds none"] if lost else [])


def as_written(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags as they were before a container put them into upper case (Matroska) or said them twice."""
    found = {}
    for key, value in tags.items():
        spoken = _LANGUAGE.fullmatch(key)
        if spoken is not None and tags.get(spoken[1]) == value:
            continue
        lower = key.lower() if key == key.upper() else key
        once = value[: len(value) // 2]
        if lower in _REWRITTEN and value == f"{once};{once}":
            value = once
        found[_CASED.get(lower, lower)] = value
    return found


def _held(muxer: str, tags: Mapping[str, str], *, named_keys: bool) -> dict[str, str]:
    """The tags that a reader finds again, as they were."""
    file = io.BytesIO()
    options = {"movflags": "+use_metadata_tags"} if named_keys else {}
    with av.open(file, "w", format=muxer, container_options=options) as output:
        stream = output.add_mux_stream(_CODECS.get(muxer, "mpeg4"), rate=25, width=16, height=16)
        output.metadata.update(tags)
        packet: av.Packet[av.stream.Stream] = av.Packet(bytes(16))
        packet.stream, packet.pts, packet.dts = stream, 0, 0
        packet.is_keyframe = True
        output.mux_one(packet)
    file.seek(0)
    with av.open(file, "r", format="mov" if muxer == "mp4" else "matroska" if muxer == "webm" else muxer) as trial:
        found = {key.lower(): value for key, value in trial.metadata.items()}
    return {
        key: value
        for key, value in tags.items()
        if key.lower() in found and (found[key.lower()] == value or key in _REWRITTEN)
    }
