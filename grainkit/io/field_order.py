"""Which field of an interlaced picture is shown first: read from what is decoded, told to what encodes.

PyAV says whether a picture is interlaced and neither says nor sets the order; FFmpeg's filters `select` and `setfield`
do both, on references to the same samples.
"""

from __future__ import annotations

import av
import av.error
from av.codec.context import Flags
from av.filter import Graph

#: AVFieldOrder to the field shown first. As FFmpeg and the containers use the numbers, those of mixed names (4, 5)
#: are woven fields whose top or bottom line comes first: 9 and 14 of QuickTime's `fiel` box and of Matroska.
_OF_STREAM = {2: "tff", 3: "bff", 4: "tff", 5: "bff"}
_TO_STREAM = {"tff": 4, "bff": 5}


def order_of(picture: av.VideoFrame, stream: int) -> str:
    """tff, bff, or '' for a progressive picture.

    stream: AVFieldOrder of its stream, which stands where the picture itself says nothing.
    """
    if not picture.interlaced_frame:
        return _OF_STREAM.get(stream, "")
    graph = _graph(picture, "select", "eq(interlace_type,TOPFIRST)")
    graph.push(picture)
    try:
        graph.pull()
    except (av.error.BlockingIOError, av.error.EOFError):
        return "bff"
    return "tff"


class FieldMarker:
    """Flags pictures as interlaced, which encoders take the order of the fields from."""

    def __init__(self) -> None:
        self._graphs: dict[str, Graph] = {}

    def marked(self, picture: av.VideoFrame, order: str) -> av.VideoFrame:
        """The same samples, flagged. All pictures have one size, format and time base. order: tff or bff."""
        if order not in self._graphs:
            self._graphs[order] = _graph(picture, "setfield", order)
        self._graphs[order].push(picture)
        marked = self._graphs[order].pull()
        assert isinstance(marked, av.VideoFrame)
        marked.time_base = picture.time_base
        return marked


def announce(context: av.VideoCodecContext, order: str) -> None:
    """Have an encoder that is not open yet code two fields, and its container say which is first."""
    context.flags |= Flags.interlaced_dct | Flags.interlaced_me
    context.field_order = _TO_STREAM[order]


def _graph(picture: av.VideoFrame, name: str, arguments: str) -> Graph:
    """A filter between a source of such pictures and a sink."""
    graph = Graph()
    # Times pass through as numbers, whatever their unit: a decoder that is flushed gives pictures without one.
    source = graph.add(
        "buffer",
        f"video_size={picture.width}x{picture.height}:pix_fmt={picture.format.name}:time_base=1/1:"
        f"colorspace={picture.colorspace}:range={picture.color_range}",
    )
    graph.link_nodes(source, graph.add(name, arguments), graph.add("buffersink")).configure()
    return graph
