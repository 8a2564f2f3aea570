"""A pytest plugin that lets the pass run with NUMBA_DISABLE_JIT=1, so that its lines can be counted (scripts/coverage).

numba turns a negative integer into a uint32 as C does; numpy refuses it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from grainkit.backends import cpu_noise


def as_c(value: Any) -> np.uint32:
    """`value` modulo 2^32."""
    return np.uint32(int(value) & 0xFFFFFFFF)


cpu_noise.U32 = as_c  # type: ignore[misc, assignment]
