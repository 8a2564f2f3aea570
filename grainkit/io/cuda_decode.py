"""Clips decoded on an NVIDIA GPU by FFmpeg: their frames stay there and are handed on by DLPack.

Experimental: written after PyAV's source, never run on a card. PyAV gives CUDA frames as NV12 or P010 only.
"""

from __future__ import annotations

from pathlib import Path

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.video.plane import VideoPlane

from grainkit.errors import InputError
from grainkit.io.pixel_formats import PixelFormat
from grainkit.picture.frame import Woven

#: What clips may be decoded by.
HWACCELS = ("cuda",)
#: Formats that PyAV exports from the card.
_EXPORTED = ("nv12", "p010le", "p016le")
_REMEDY = "leave --hwaccel out to decode on the CPU"


def accelerator(name: str) -> HWAccel:
    """What `av.open` needs. Raises InputError where the PyAV that is installed has no such thing."""
    if name not in HWACCELS:
        raise InputError(f"--hwaccel {name} is not known; it is {', '.join(HWACCELS)}")
    if name not in hwdevices_available():
        raise InputError(f"--hwaccel {name}: the FFmpeg in PyAV {av.__version__} was built without it; {_REMEDY}")
    try:
        # The card's primary context, which CuPy works in too.
        return HWAccel(name, allow_software_fallback=False, is_hw_owned=True)
    except TypeError as error:
        raise InputError(
            f"--hwaccel {name} needs PyAV 17 or newer, this is {av.__version__}: pip install -U av, or {_REMEDY}"
        ) from error


def refused(path: Path, error: Exception) -> InputError:
    """Why a clip cannot be decoded on the card."""
    return InputError(
        f"{path} cannot be decoded by --hwaccel cuda ({' '.join(str(error).split())}): no card, no driver, or a codec "
        f"that it does not decode; {_REMEDY}"
    )


def software_name(picture: av.VideoFrame) -> str:
    """Name of the samples' format, also where they are on a card."""
    on_card = picture.format.name == "cuda"
    form = picture.sw_format if on_card else picture.format
    return picture.format.name if form is None else str(form.name)


class _Exported:
    """A plane of PyAV's on the card, as arrays are asked for by DLPack.

    PyAV refuses every stream but None and CuPy always names one: it is left out here, and whoever reads the plane waits
    for the decoder first.
    """

    def __init__(self, plane: VideoPlane, shape: tuple[int, ...]) -> None:
        self._plane, self.shape = plane, shape

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, number = self._plane.__dlpack_device__()
        return int(kind), int(number)

    def __dlpack__(self, *, stream: object = None, **_: object) -> object:
        return self._plane.__dlpack__()


def woven(picture: av.VideoFrame, form: PixelFormat, path: Path) -> Woven:
    """The planes of a picture on the card. Raises InputError for what PyAV does not export whole."""
    height, width = int(picture.height), int(picture.width)
    if form.name not in _EXPORTED or height % 2 or width % 2:
        raise InputError(
            f"{path}: {form.name} of {width}x{height} does not come from the card (even sizes of "
            f"{', '.join(_EXPORTED)} do); {_REMEDY}"
        )
    luma, chroma = picture.planes
    return Woven(
        _Exported(luma, (height, width)), _Exported(chroma, (height // 2, width // 2, 2)), 16 if form.depth > 8 else 8,
        form.shift,
    )  # fmt: skip
