"""What rides along with a clip's picture: sound, subtitles and chapters of the source, copied and never changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import av.error
from av.container import OutputContainer
from av.stream import Stream

from grainkit.errors import OutputError
from grainkit.io.container_tags import as_written, content
from grainkit.io.delivery import ClipDelivery
from grainkit.io.ffmpeg import MUXERS, as_text, fraction, holds, open_input, picture_streams, reason_of

if TYPE_CHECKING:
    from av.container.core import Chapter

#: Packets read in advance, to see where each stream that is taken along begins.
_LOOK_AHEAD = 64


@dataclass(frozen=True)
class Stretch:
    """The part of a clip from `start` to `end`, in seconds of its own clock; None is its end."""

    start: float = 0.0
    end: float | None = None


class Passengers:
    """Audio and subtitle packets of the source, taken along as the picture advances, never changed.

    begin: seconds of the source's clock that become 0. Formats whose clock starts anywhere (MPEG-TS) are
    brought to 0; others keep their own. notes: what was left behind.
    """

    def __init__(self, path: Path, stretch: Stretch) -> None:
        self._input = open_input(path)
        self._end = None if stretch.end is None else Fraction(stretch.end)
        self._whole = stretch.start == 0
        self.begin = Fraction(stretch.start)
        clock_starts_anywhere = cast(int, av.format.Flags.ts_discont.value)
        if self._whole and int(self._input.format.flags) & clock_starts_anywhere:
            self.begin = Fraction(self._input.start_time or 0, av.time_base)
        self.notes: list[str] = []
        self._boarded: dict[int, Stream] = {}
        self._packets: Iterator[av.Packet[Stream]] = iter(())
        self._ahead: deque[av.Packet[Stream]] = deque()

    @property
    def picture_tags(self) -> dict[str, str]:
        return _content_tags(picture_streams(self._input)[0].metadata)

    def board(self, output: OutputContainer, delivery: ClipDelivery) -> None:
        """Add the streams that the container can hold. OutputError for audio that it cannot."""
        for stream in self._input.streams:
            if stream.type == "audio" and delivery.audio == "copy":
                self._boarded[stream.index] = _add_audio(output, stream, delivery.container)
            elif stream.type == "subtitle":
                if holds(delivery.container, stream):
                    self._boarded[stream.index] = _copied(output, stream)
                else:
                    self.notes.append(f"subtitles ({stream.name}) left out: {delivery.container} cannot hold them")
            elif stream.disposition & av.stream.Disposition.attached_pic:
                self.notes.append("cover picture left out: it shows the clip as it was")
            elif stream.type in ("data", "attachment") and "timecode" not in stream.metadata:
                self.notes.append(f"{stream.type} stream {stream.index} left out")
        chapters = self._chapters()
        if chapters:
            output.set_chapters(chapters)
        if self._boarded:
            self._packets = self._read()
            self._look_ahead()

    def _chapters(self) -> list[Chapter]:
        kept = []
        for chapter in self._input.chapters():
            base = fraction(chapter["time_base"]) or Fraction(1, 1000)
            shift = round(self.begin / base)
            first, last = chapter["start"] - shift, chapter["end"] - shift
            if self._end is not None:
                last = min(last, round((self._end - self.begin) / base))
            if last > max(first, 0):
                moved = chapter.copy()
                moved["time_base"], moved["start"], moved["end"] = base, max(first, 0), last
                moved["metadata"] = as_text(chapter["metadata"])
                kept.append(moved)
        return kept

    def starts_off_zero(self) -> bool:
        """Does any stream that was taken along begin elsewhere than at 0, or only now and then have something?"""
        waiting = {stream.index for stream in self._boarded.values()}
        for packet in self._ahead:
            if packet.stream_index in waiting and packet.pts != 0:
                return True
            waiting.discard(packet.stream_index)
        return bool(waiting)

    def _look_ahead(self) -> None:
        """Hold the first packets: at least one, and one of each stream where they come soon."""
        waiting = {stream.index for stream in self._boarded.values()}
        while waiting and len(self._ahead) < _LOOK_AHEAD:
            packet = next(self._packets, None)
            if packet is None:
                return
            self._ahead.append(packet)
            waiting.discard(packet.stream_index)

    def _read(self) -> Iterator[av.Packet[Stream]]:
        """Packets inside the range, on the output's clock. A source that breaks off ends here, with a note."""
        packets = self._input.demux(*(self._input.streams[index] for index in self._boarded))
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                self.notes.append(f"audio and subtitles end early: {reason_of(error)}")
                return
            if packet is None:
                return
            if packet.dts is None or packet.is_corrupt:
                continue
            seconds = (packet.dts if packet.pts is None else packet.pts) * packet.time_base
            if (not self._whole and seconds < self.begin) or (self._end is not None and seconds >= self._end):
                continue
            shift = round(self.begin / packet.time_base)
            packet.dts -= shift
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.stream = self._boarded[packet.stream_index]
            yield packet

    def delay(self, seconds: Fraction) -> None:
        """Move all that has not been written yet on, with a picture that begins before 0."""
        self.begin -= seconds
        for packet in self._ahead:
            shift = round(seconds / packet.time_base)
            packet.dts = None if packet.dts is None else packet.dts + shift
            packet.pts = None if packet.pts is None else packet.pts + shift

    def advance(self, output: OutputContainer, seconds: Fraction | None) -> None:
        """Write what belongs before this moment of the picture; None: all that is left."""
        while self._ahead:
            packet = self._ahead[0]
            if seconds is not None and (packet.dts or 0) * packet.time_base > seconds:
                return
            output.mux_one(self._ahead.popleft())
            if not self._ahead:
                self._ahead.extend(islice(self._packets, 1))

    def close(self) -> None:
        self._ahead.clear()
        self._packets = iter(())
        self._input.close()


def _copied(output: OutputContainer, stream: Stream) -> Stream:
    copy = output.add_stream_from_template(stream)
    copy.metadata.update(_content_tags(stream.metadata))
    copy.disposition = stream.disposition
    return copy


def _add_audio(output: OutputContainer, stream: Stream, container: str) -> Stream:
    if holds(container, stream):
        return _copied(output, stream)
    codec = stream.codec_context.name if stream.codec_context else "unknown"
    holders = [name for name in MUXERS if holds(name, stream)]
    remedy = f"use --set delivery.clip.container={' or '.join(holders)}, or " if holders else ""
    raise OutputError(
        f"{container} cannot hold the source's {codec} audio; {remedy}leave it out with --set delivery.clip.audio=none"
    )


def _content_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    return content(as_written(as_text(metadata)))
