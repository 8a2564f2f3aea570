"""Each device function of the per-pixel maths beside its twin in Python, on awkward values: the same bits."""

from __future__ import annotations

import re

import numpy as np
import pytest

from grainkit.backends import cpu_float, cpu_shoulder
from grainkit.backends.kernel_source import flatten
from grainkit.backends.tables import LUMA_STEPS
from grainkit.picture import noise
from grainkit.picture import rgb as convert
from tests.cudacheck import host

pytestmark = pytest.mark.skipif(bool(host.missing()), reason=host.missing())

F32, U32 = np.float32, np.uint32
COUNT = 3000
SHOULDER = cpu_shoulder.Rolloff(F32(0.7), F32(3.1), F32(0.8))
CHANNELS = cpu_shoulder.Channels(*(F32(v) for v in (1.5748, -0.1873, -0.4681, 1.8556)))
STORE = cpu_float.Store(F32(16), F32(219), F32(255))
WEIGHTS = convert.rgb_weights(convert.Color())


def awkward(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.uniform(-0.7, 1.7, COUNT).astype(np.float32)
    values[:9] = 0.0, -0.0, 1.0, 0.7, np.nextafter(F32(0.7), F32(1)), 65504.0, -65504.0, 1e-6, 0.5
    return values


A, B, C = awkward(1), awkward(2), awkward(3)
WORDS = np.random.default_rng(4).integers(0, 2**32, (4, COUNT), np.uint32)
TABLE = np.random.default_rng(5).uniform(0.0, 0.01, LUMA_STEPS + 1).astype(np.float32)

#: Source that includes it, device function, what it is called with at i, its twin, what that is called with.
TWINS = [
    ("luma", "roll", "a[i], 0.7f, 3.1f, 0.8f", cpu_shoulder.roll, lambda i: (A[i], SHOULDER)),
    ("luma", "slope", "a[i], b[i], 0.7f, 3.1f, 0.8f", cpu_shoulder.slope, lambda i: (A[i], B[i], SHOULDER)),
    ("luma", "largest", "a[i], b[i], c[i], 1.5748f, -0.1873f, -0.4681f, 1.8556f", cpu_shoulder.largest_channel,
     lambda i: (A[i], B[i], C[i], CHANNELS)),
    ("luma", "at_luma", "table, a[i]", cpu_float.at_luma, lambda i: (TABLE, A[i])),
    ("luma", "curved", "table, a[i]", cpu_float.curved, lambda i: (TABLE, A[i])),
    ("luma", "store", "a[i], 16.0f, 219.0f, 255.0f, spread(w[i])", cpu_float.stored,
     lambda i: (A[i], STORE, np.uint16(WORDS[0, i] & 0xFFFF))),
    ("luma", "white", "w[i]", noise.white, lambda i: (np.uint8(WORDS[0, i] & 0xFF),)),
    ("to_rgb", "code", "a[i], 255.0f, 0.5f", convert._code, lambda i: (A[i], F32(255), F32(0.5))),
]  # fmt: skip


def run(source: str, body: str, outputs: int) -> np.ndarray:
    code = f"""{flatten(source)}
extern "C" __global__ void twins(const float* a, const float* b, const float* c, const u32* w, const float* table,
                                 float* out, int count)
{{
    for (int i = (int)threadIdx.x; i < count; i += 32) {{
        {body}
    }}
}}
"""
    out = np.empty((outputs, COUNT), np.float32)
    options = ["-DSOURCE_BITS=32", "-DTARGET_BITS=32", "-Wno-unused"]
    host.HostKernel(code, "twins", options)((1,), (32,), [A, B, C, WORDS, TABLE, out, np.int32(COUNT)], 0)
    return out


@pytest.mark.parametrize(("source", "name", "told", "twin", "same"), TWINS, ids=[t[1] for t in TWINS])
def test_twins_agree_to_the_bit(source, name, told, twin, same):
    found = run(source, f"out[i] = (float){name}({told});", 1)[0]
    wanted = np.array([twin(*same(i)) for i in range(COUNT)], np.float32)
    np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))


@pytest.mark.parametrize("name", ["pcg4d", "noise_words"])
def test_hash_words_agree_to_the_bit(name):
    body = f"Words v = {name}(w[i], w[count + i], w[2 * count + i], w[3 * count + i]);"
    body += "".join(f"out[{k} * count + i] = __uint_as_float(v.{'abcd'[k]});" for k in range(4))
    found = run("luma", body, 4).view(np.uint32)
    wanted = np.array([getattr(noise, name)(*WORDS[:, i]) for i in range(COUNT)], np.uint32).T
    np.testing.assert_array_equal(found, wanted)


def test_luma_and_chroma_of_rgb_agree_to_the_bit():
    told = ", ".join(f"{float(w)!r}f" for w in WEIGHTS)
    body = f"Ycc v = ycc(a[i], b[i], c[i], {{{told}}});"
    body += "out[i] = v.y; out[count + i] = v.cb; out[2 * count + i] = v.cr;"
    wanted = np.array([convert._ycc(A[i], B[i], C[i], WEIGHTS) for i in range(COUNT)], np.float32).T
    np.testing.assert_array_equal(run("to_rgb", body, 3).view(np.uint32), wanted.view(np.uint32))


def test_constants_of_the_kernels_are_pythons():
    code = flatten("luma")
    defined = {name: int(value) for name, value in re.findall(r"#define (\w+) (\d+)\b", code)}
    assert defined["LUMA_STEPS"] == LUMA_STEPS
    names = ("ROW_SHIFT", "COARSE_SHIFT", "MIX_SHIFT", "FIELD_LIMIT")
    assert [defined[n] for n in names] == [getattr(noise, n) for n in names]
