"""Transparency of VP8 and VP9: a second stream beside the first, in Matroska's BlockAdditional, which libvpx reads.

FFmpeg's own decoders of VP8 and VP9 drop it without a word.
"""

from __future__ import annotations

import av

from grainkit.io.container_tags import as_written

_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
#: Encoders whose transparency travels beside the packets, and the containers that have a place for it there.
ENCODERS, CONTAINERS = ("libvpx", "libvpx-vp9"), ("webm", "mkv")


def decoder_of(stream: av.VideoStream) -> tuple[av.VideoCodecContext, str]:
    """What decodes the stream with its transparency where it has one, and a note where that is lost, else ''."""
    own = stream.codec_context
    if as_written(stream.metadata).get("alpha_mode") != "1" or own.name not in _DECODERS:
        return own, ""
    if own.is_hwaccel:
        return own, "transparency left out: --hwaccel decodes none"
    try:
        decoder = av.CodecContext.create(_DECODERS[own.name], "r")
    except av.codec.codec.UnknownCodecError:
        return own, f"transparency left out: this build of FFmpeg has no {_DECODERS[own.name]} to decode it"
    assert isinstance(decoder, av.VideoCodecContext)
    if own.extradata:
        decoder.extradata = own.extradata
    return decoder, ""
