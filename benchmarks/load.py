"""Many exports at once, and one that is long: all right, all equal, and memory that does not know the clip's length.

    python -m benchmarks.load [--at-once N] [--long FRAMES] [--json]

At once: so many processes finish the same small clip beside each other into one folder; every one must end with 0,
and all outputs must be equal. Long: a clip of tiny frames (172,800 of them are two hours at 24 a second), finished
with grain and highlight protection; resident memory of the process, MiB, by quarter of its wall time. Texture is off
there: it looks for faces in every frame, and would take hours to say the same. Either may be 0, for not at all.
Exit status 0 where all is as it must be; flat is less than FLAT MiB between the first quarter and the last.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samples.waves import draw_waves

#: MiB that the last quarter may lie above the first.
FLAT = 16.0
GRAINKIT = [sys.executable, "-m", "grainkit", "finish"]
QUIET = ["--quiet", "--no-adapt", "--seed", "5"]


def at_once(count: int, folder: Path) -> dict[str, Any]:
    """Exit statuses, and how many different outputs there are."""
    clip = draw_waves(folder / "clip.nut", 128, 72, 24)
    outputs = [folder / f"o{n}.mp4" for n in range(count)]
    started = time.monotonic()
    jobs = [subprocess.Popen([*GRAINKIT, str(clip), "-o", str(o), *QUIET], stderr=subprocess.PIPE) for o in outputs]
    said = [job.communicate()[1].decode() for job in jobs]
    digests = {hashlib.sha256(o.read_bytes()).hexdigest() for o in outputs if o.exists()}
    return {
        "processes": count, "ended with 0": sum(job.returncode == 0 for job in jobs),
        "different outputs": len(digests), "seconds": round(time.monotonic() - started, 1),
        "left under construction": sum(".grainkit-part-" in p.name for p in folder.iterdir()),
        "said": sorted({words.strip() for words in said if words.strip()}),
    }  # fmt: skip


def long(frames: int, folder: Path) -> dict[str, Any]:
    """Resident memory by quarter of the wall time, MiB: the largest that was seen in each."""
    clip = draw_waves(folder / "long.nut", 64, 36, frames)
    started = time.monotonic()
    settings = ["--preset", "video", "--set", "skin_texture.strength=0"]
    settings += ["--set", "delivery.clip.options.preset=ultrafast"]
    job = subprocess.Popen([*GRAINKIT, str(clip), "-o", str(folder / "long.mkv"), *settings, *QUIET])
    seen: list[tuple[float, float]] = []
    while job.poll() is None:
        seen.append((time.monotonic() - started, _resident(job.pid)))
        time.sleep(0.25)
    seconds = time.monotonic() - started
    # The first seconds are those in which libraries are loaded.
    quarters = [[mib for at, mib in seen if int(4 * at / seconds) == quarter] for quarter in range(4)]
    return {
        "frames": frames, "minutes at 24 fps": round(frames / 24 / 60, 1), "exit status": job.returncode,
        "seconds": round(seconds, 1), "MiB by quarter": [round(max(values, default=0.0), 1) for values in quarters],
    }  # fmt: skip


def _resident(process: int) -> float:
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        return 0.0  # it has just ended
    return 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--long", type=int, default=172_800, metavar="FRAMES")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {}
    right = True
    with tempfile.TemporaryDirectory() as room:
        if options.at_once:
            made = found["at once"] = at_once(options.at_once, Path(room))
            right &= made["ended with 0"] == options.at_once and made["different outputs"] == 1
        if options.long:
            made = found["long"] = long(options.long, Path(room))
            quarters = made["MiB by quarter"]
            right &= made["exit status"] == 0 and quarters[3] - quarters[0] < FLAT
    if options.json:
        print(json.dumps(found))
    else:
        for name, made in found.items():
            print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in made.items()))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
