"""Files of one's own: each ends in a picture or one clear line, and other readers see the same samples."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
import tifffile
from PIL import ExifTags, Image, ImageOps

from benchmarks._corpus_case import Array, Own, Picture
from benchmarks._corpus_delivered import frame_samples
from benchmarks._corpus_judge import Finding, difference
from benchmarks._measure import table


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Other readers may say what they like."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def read_by_others(path: Path) -> tuple[str, Picture | None]:
    """(name of the reader, its first picture upright), or why none is asked."""
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    readers: list[tuple[str, Callable[[Path], Picture | None]]] = [
        ("tifffile", _by_tifffile), ("Pillow", _by_pillow), ("OpenCV", _by_opencv), ("FFmpeg", _by_ffmpeg),
    ]  # fmt: skip
    for name, read in readers:
        with _quiet(), contextlib.suppress(Exception):  # what a reader does with a file of anyone's is its own affair
            if (found := read(path)) is not None:
                return name, found
    return "nobody", None


def _by_tifffile(path: Path) -> Picture | None:
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        samples, name = page.asarray(), getattr(page.photometric, "name", "")
        if name not in ("RGB", "MINISBLACK", "MINISWHITE") or samples.dtype.str[1:] not in ("u1", "u2", "f4"):
            return None
        if samples.ndim == 3 and page.planarconfig == 2:
            samples = np.moveaxis(samples, 0, 2)
        if page.bitspersample not in (8, 16, 32) or 1 in (page.extrasamples or ()):
            return None
        if name == "MINISWHITE":
            samples = (1.0 if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max) - samples
        orientation = page.tags[274].value if 274 in page.tags else 1
        from benchmarks._corpus_case import upright

        return _split(upright(samples, int(orientation)))


def _by_pillow(path: Path) -> Picture | None:
    with Image.open(path) as image:
        deep = image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA")
        # 16-bit colour comes as 8 bits there.
        if deep or image.format not in ("PNG", "JPEG", "MPO", "WEBP", "TIFF") or _sixteen(path):
            return None
        image.load()
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            image = ImageOps.exif_transpose(image)
        transparent = "transparency" in image.info
        if image.mode == "P":
            image = image.convert("RGBA" if transparent else "RGB")
        elif transparent:
            image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
        if image.mode == "1":
            image = image.convert("L")
        return _split(np.asarray(image))


def _sixteen(path: Path) -> bool:
    head = path.read_bytes()[:26]
    return head.startswith(b"\x89PNG") and head[24] == 16


def _by_opencv(path: Path) -> Picture | None:
    found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype.str[1:] not in ("u1", "u2", "f4"):
        return None
    samples = np.asarray(found)
    if samples.ndim == 3:
        samples = samples[..., [2, 1, 0, 3][: samples.shape[2]]]
    return _split(np.ascontiguousarray(samples))


def _by_ffmpeg(path: Path) -> Picture | None:
    """Its first frame as it is stored, of a clip that is not turned."""
    with av.open(f"file:{path}") as container:
        if container.format.name.endswith("_pipe") or container.format.name == "image2":
            return None
        frame = next(container.decode(video=0))
        return None if any(data.type.name == "DISPLAYMATRIX" for data in frame.side_data) else frame_samples(frame)


def _split(samples: Array) -> Picture:
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        colour = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
        return Picture((colour,), samples[..., -1])
    return Picture((samples,))


def compared(path: Path, found: Picture) -> tuple[str, str]:
    """(reader, what is otherwise), '' where nothing is. Lossy formats may differ a little between libraries."""
    reader, other = read_by_others(path)
    if other is None:
        return reader, ""
    near = 1.0 if path.read_bytes()[:3] == b"\xff\xd8\xff" or reader == "tifffile" else 0.0
    return reader, difference(other, found, near)


def own_files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """All files below a folder, but for hidden ones; where there are patterns, those whose name is like one."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.startswith(".")
        and (not patterns or any(fnmatch(path.name, p) for p in patterns))
    )


def judged_folder(folder: Path, patterns: Sequence[str], watched: Any, *, as_json: bool) -> int:
    """Judge them all and print what was found; exit status."""
    began = time.monotonic()
    counts: dict[str, Counter[str]] = {}
    found: list[tuple[str, Finding]] = []
    told: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as room:
        for number, path in enumerate(own_files(folder, patterns)):
            # A copy, so that nothing can happen to the file itself.
            place = Path(room) / str(number)
            place.mkdir()
            shutil.copyfile(path, place / path.name)
            kind = path.suffix.lower().strip(".") or "none"
            outcome, findings = watched.judged(Own(place, path.name))
            shutil.rmtree(place)
            name = str(path.relative_to(folder))
            column = findings[0].what if findings else outcome.partition(":")[0]
            counts.setdefault(kind, Counter())[column] += 1
            found += [(name, each) for each in findings]
            told.append((name, outcome))
            for each in findings:
                print(f"{name}: {each.what}: {each.said}", file=sys.stderr, flush=True)
    if as_json:
        print(json.dumps({"files": len(told), "counts": counts, "outcomes": told,
                          "findings": [[name, each.what, each.said] for name, each in found]}))  # fmt: skip
        return int(bool(found))
    columns = ("read", "refused", "wrong", "different", "crash", "hang", "memory", "noise")
    rows = [[kind, each.total(), *(each[column] for column in columns)] for kind, each in sorted(counts.items())]
    print(table(("ending", "files", *columns), rows))
    print("\n".join(["", *(f"  {name}: {outcome}" for name, outcome in told)]))
    if found:
        print("\n".join(["\nfindings:", *(f"  {name}: {each.what}: {each.said}" for name, each in found)]))
    print(f"\n{len(told)} files, {len({name for name, _ in found})} with findings, {time.monotonic() - began:.0f} s")
    return int(bool(found))
