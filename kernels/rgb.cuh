// R'G'B' and Y'CbCr of one pixel. Twin of _ycc and _code in grainkit/picture/rgb.py.
#pragma once
#include "noise.cuh"

// Luma weights, and what makes Cb and Cr of the differences to luma.
struct Weights {
    float kr, kg, kb, cb_scale, cr_scale;
};

struct Ycc {
    float y, cb, cr;
};

__device__ __forceinline__ Ycc ycc(float r, float g, float b, Weights w)
{
    const float y = w.kr * r + w.kg * g + w.kb * b;
    return {y, (b - y) * w.cb_scale, (r - y) * w.cr_scale};
}

// A code of 0..top; nudge: 0.5 to round, noise of one code to dither.
__device__ __forceinline__ float code(float value, float top, float nudge)
{
    const float whole = floorf(value * top + nudge);
    const float above = whole > 0.0f ? whole : 0.0f;
    return above < top ? above : top;
}

__device__ __forceinline__ float dither_unit(u32 word) { return (float)(word >> 8) * (1.0f / 16777216.0f); }
