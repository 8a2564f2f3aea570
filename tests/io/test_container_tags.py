"""What generators and cameras write into a clip's container is there again in the delivered one, or a note says not."""

from __future__ import annotations

import json
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import pytest
from PIL import Image, PngImagePlugin

from grainkit.hosts.cli.command import main
from grainkit.io.base import SourceInfo, StillMetadata
from grainkit.io.clip_source import VideoSource
from grainkit.io.container_tags import as_written, left_behind, plan_tags
from grainkit.io.delivery import ClipDelivery
from grainkit.io.iso_boxes import xmp_box
from grainkit.picture.color import Color
from tests.drawn import FFMPEG, clip, moving_fields, numbered, sink_of

PROMPT = json.dumps(
    {"3": {"class_type": "KSampler", "inputs": {"text": 'a "b"\n= ; # \\ é 日本 🎞'}}}, ensure_ascii=False
)
WORKFLOW = json.dumps({"nodes": [{"id": n, "type": "ünïcode;=\n"} for n in range(40_000)]}, ensure_ascii=False)
GENERATED = {"prompt": PROMPT, "workflow": WORKFLOW, "comment": "two\nlines = one; comment"}
PLAIN = {"title": "A title", "artist": "Somebody", "date": "2024-05-06", "comment": "kept", "copyright": "none"}
CAMERA = {"com.apple.quicktime.make": "Apple", "com.apple.quicktime.location.ISO6709": "+48.1374+011.5755/"}
DELIVERIES = {
    "mp4": ClipDelivery("mp4", "libx264", "yuv420p", options={"preset": "ultrafast"}),
    "mov": ClipDelivery("mov", "libx264", "yuv420p", options={"preset": "ultrafast"}),
    "mkv": ClipDelivery("mkv", "libx264", "yuv420p", options={"preset": "ultrafast"}),
    "webm": ClipDelivery("webm", "libvpx-vp9", "yuv420p"),
    "nut": ClipDelivery("nut", "ffv1", "yuv420p"),
}


def frames():
    return [replace(frame, field_order="") for frame in moving_fields("yuv420p", "tff", 1)]


def tags_of(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return {key.lower(): value for key, value in container.metadata.items()}


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "webm"])
def test_generators_texts_come_out_to_the_letter(tmp_path, container):
    assert len(WORKFLOW) > 1_500_000
    told = {**PLAIN, **CAMERA, **GENERATED}
    path = sink_of(tmp_path / f"a.{container}", frames(), DELIVERIES[container], metadata=told)
    found = tags_of(path)
    assert {key: found.get(key.lower()) for key in told} == told
    assert json.loads(found["prompt"])["3"]["class_type"] == "KSampler"


def test_another_reader_sees_titles_and_texts(tmp_path):
    path = sink_of(tmp_path / "a.mp4", frames(), DELIVERIES["mp4"], metadata={**PLAIN, "prompt": '{"3":"K"}'})
    command = [FFMPEG, "-v", "error", "-i", str(path), "-f", "ffmetadata", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {f"{key}={value}" for key, value in PLAIN.items()} <= set(said)
    assert 'prompt={"3":"K"}' in said


def layout(path: Path) -> list[bytes]:
    """Names of the boxes that tags are in."""
    data, found = path.read_bytes(), []

    def walk(at: int, end: int) -> None:
        while at + 8 <= end:
            size, name = struct.unpack(">I4s", data[at : at + 8])
            found.append(name)
            if name in (b"moov", b"udta", b"meta"):
                walk(at + (12 if name == b"meta" else 8), at + size)
            at += size

    walk(0, len(data))
    return found


def test_titles_stay_where_players_look_unless_a_key_needs_a_list(tmp_path):
    plain = sink_of(tmp_path / "a.mp4", frames(), DELIVERIES["mp4"], metadata=PLAIN)
    assert b"keys" not in layout(plain)
    assert {key: tags_of(plain)[key] for key in PLAIN} == PLAIN
    named = sink_of(tmp_path / "b.mp4", frames(), DELIVERIES["mp4"], metadata={**PLAIN, "prompt": "{}"})
    assert b"keys" in layout(named), "ComfyUI's page looks for moov/udta/meta/keys"


@pytest.mark.parametrize("key", ["location", "creation_time"])
def test_place_and_time_keep_their_meaning(tmp_path, key):
    value = {"location": "+48.1374+011.5755/", "creation_time": "2024-05-06T07:08:09.000000Z"}[key]
    for container in ("mp4", "mov"):
        delivery = DELIVERIES[container]
        path = sink_of(tmp_path / f"a.{container}", frames(), delivery, metadata={key: value, "prompt": "{}"})
        assert set(tags_of(path)[key].split(";")) == {value}
        with VideoSource(path) as source:
            assert source.info.metadata[key] == value


def test_what_nut_cannot_hold_is_said(tmp_path):
    long, short = "x" * 1024, "y" * 1023
    tags = plan_tags("nut", {"workflow": long, "prompt": short, "title": "T"})
    assert (tags.lost, tags.kept) == (("workflow",), {"prompt": short, "title": "T"})
    source = sink_of(tmp_path / "a.mkv", frames(), DELIVERIES["mkv"], metadata={"workflow": long, "title": "T"})
    assert main(["finish", str(source), "-o", str(tmp_path / "o.nut"), "--preset", "video/h264", "--no-adapt"]) == 0
    told = (tmp_path / "o.nut.grainkit.txt").read_text()
    assert "tags left out: workflow: nut cannot hold them" in told
    assert tags_of(tmp_path / "o.nut")["title"] == "T"


def test_matroska_gives_keys_back_as_they_were_in_mp4(tmp_path):
    """It knows upper case only; ComfyUI and Apple's tools look for the case they wrote."""
    told = {**CAMERA, "prompt": "{}", "title": "T"}
    first = sink_of(tmp_path / "a.mkv", frames(), DELIVERIES["mkv"], metadata=told)
    with VideoSource(first) as source:
        info, read = source.info, list(source)
    path = sink_of(tmp_path / "b.mp4", read, DELIVERIES["mp4"], metadata=info.metadata)
    with av.open(str(path)) as container:
        assert {key: container.metadata.get(key) for key in told} == told


def test_a_tag_said_again_in_a_language_is_one_tag():
    assert as_written({"location": "a", "location-eng": "a", "title-deu": "b"}) == {"location": "a", "title-deu": "b"}


def test_a_timecode_in_matroska_is_read(tmp_path):
    silent = sink_of(tmp_path / "a.mkv", frames(), DELIVERIES["mkv"])
    command = [FFMPEG, "-v", "error", "-i", str(silent), "-c", "copy", "-metadata:s:v", "timecode=01:02:03:04"]
    subprocess.run([*command, str(tmp_path / "b.mkv")], check=True)
    with VideoSource(tmp_path / "b.mkv") as source:
        assert source.info.metadata["timecode"] == "01:02:03:04"


@pytest.mark.slow
def test_the_texts_of_a_sequence_go_into_its_clip(tmp_path):
    pattern = numbered(tmp_path / "in", 3)
    for file in sorted((tmp_path / "in").iterdir()):
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("prompt", PROMPT)
        with Image.open(file) as picture:
            picture.load()
        picture.save(file, pnginfo=chunks)
    assert main(["finish", str(pattern), "-o", str(tmp_path / "o.mp4"), "--preset", "video/h264", "--no-adapt"]) == 0
    assert tags_of(tmp_path / "o.mp4")["prompt"] == PROMPT


def test_texts_and_the_packet_of_provenance_live_together(tmp_path):
    source = sink_of(tmp_path / "a.mp4", frames(), DELIVERIES["mp4"], metadata=GENERATED)
    assert main(["finish", str(source), "-o", str(tmp_path / "o.mp4"), "--preset", "video/h264", "--no-adapt"]) == 0
    found = tags_of(tmp_path / "o.mp4")
    assert {key: found.get(key) for key in GENERATED} == GENERATED
    assert xmp_box(b"")[4:] in (tmp_path / "o.mp4").read_bytes()


def test_a_clip_that_becomes_stills_keeps_its_texts_and_says_what_else_is_lost(tmp_path):
    told = {"prompt": PROMPT, "title": "T"}
    source = clip(tmp_path / "a.mkv", frames=2, sound=True)
    command = [FFMPEG, "-v", "error", "-i", str(source), "-c", "copy", "-movflags", "use_metadata_tags"]
    tags = [word for key, value in told.items() for word in ("-metadata", f"{key}={value}")]
    subprocess.run([*command, *tags, str(tmp_path / "b.mkv")], check=True)
    pattern = tmp_path / "out" / "f_%04d.png"
    assert main(["finish", str(tmp_path / "b.mkv"), "-o", str(pattern), "--preset", "video/sequence"]) == 0
    with Image.open(tmp_path / "out" / "f_0000.png") as picture:
        assert picture.info["prompt"] == PROMPT
    sidecar = next(tmp_path.rglob("*.grainkit.txt")).read_text()
    assert "sound left out: a sequence of stills holds none" in sidecar
    assert "tags left out: title: a sequence of stills holds none" in sidecar


def test_a_pipe_says_what_does_not_go_along(tmp_path, capfdbinary):
    source = clip(tmp_path / "a.mkv", frames=1, sound=True)
    assert main(["finish", str(source), "-o", "-", "--preset", "video"]) == 0
    assert b"sound left out: Y4M holds none" in capfdbinary.readouterr().err


def test_a_sequences_profile_and_exif_do_not_vanish_silently():
    still = StillMetadata(icc=b"profile", exif=b"MM")
    info = SourceInfo("f_%d.png", Path("f_%d.png"), "sequence", 8, 8, Color(), still=still)
    assert left_behind(info, "clip") == ["ICC profile left out: a clip holds none", "EXIF left out: a clip holds none"]
    assert left_behind(info, "sequence") == []
