// One sample's tone: texture, curve, grain, dither, code. Twin of what grainkit/backends/cpu_rows.py and
// grainkit/backends/cpu_float.py do to a row.
#pragma once
#include "shoulder.cuh"

#define LUMA_STEPS 1024
#define LUMA_BITS 14
#define CHROMA_BITS 15
#define LUMA_UNIT (1.0f / 16384.0f)
#define CHROMA_UNIT (1.0f / 32768.0f)

// The curve at a code; no look-up where it is a plain shift.
__device__ __forceinline__ int value_of(int code, const int* curve, int straight, int shift)
{
    return code <= straight ? code << shift : __ldg(curve + code);
}

// The curve at a code whose distance from black is scaled by 1 + gain / 2^LUMA_BITS, between entries too.
__device__ __forceinline__ int textured(int code, int gain, int black, int last, const int* curve)
{
    const long long moved = ((long long)code << LUMA_BITS) + (long long)(code - black) * gain;
    const int whole = (int)min(max(moved >> LUMA_BITS, 0ll), (long long)last);
    const int low = __ldg(curve + whole);
    const long long step = (long long)(__ldg(curve + min(whole + 1, last)) - low) * (moved & ((1 << LUMA_BITS) - 1));
    return low + (int)(step >> LUMA_BITS);
}

// Codes of up to ten bits have fewer than eight fraction bits, and gains to fit: see gain_shift in
// grainkit/effects/pass_tables.py.
__device__ __forceinline__ int grain_of(int gain, int field, int bits)
{
    return (gain * field) >> (bits < 8 ? 12 : 8);
}

// A code of `bits` fraction bits, rounded by the top bits of dither.
__device__ __forceinline__ int code_of(int value, u32 dither, int bits)
{
    return (value + (int)(dither >> (16 - bits))) >> bits;
}

// Grain, which shrinks near the ends of the range on both sides alike, so the mean stays.
__device__ __forceinline__ int within(int grain, int value, int low, int high)
{
    const int room = max(min(value - low, high - value), 0);
    return min(max(grain, -room), room);
}

__device__ __forceinline__ int scale_chroma(int value, float factor, int grey, int last)
{
    return min(max(grey + (int)floorf((float)(value - grey) * factor + 0.5f), 0), last);
}

// A table over luma 0..1, between its entries too.
__device__ __forceinline__ float at_luma(const float* table, float y)
{
    const float t = smaller(larger(0.0f, y), 1.0f) * (float)LUMA_STEPS;
    const int i = min((int)t, LUMA_STEPS - 1);
    const float low = __ldg(table + i);
    return low + (__ldg(table + i + 1) - low) * (t - (float)i);
}

// Luma after the luma curve; what lies beyond 0..1 stays as far beyond the curve's ends.
__device__ __forceinline__ float curved(const float* table, float y)
{
    return at_luma(table, y) + (y - smaller(larger(0.0f, y), 1.0f));
}

// An integer code of a normalised value, dithered with one code of uniform noise.
__device__ __forceinline__ float store(float value, float offset, float unit, float top, u32 dither)
{
    // The middle of its 256 steps: a code that rounding left a little too low must not become the one below.
    const float nudge = ((float)dither + 128.0f) * (1.0f / 65536.0f);
    return smaller(larger(0.0f, floorf(offset + value * unit + nudge)), top);
}

// How values become codes: code of black, codes from there to white, last code. All 0 where they stay float.
struct Scale {
    float offset, unit, top;
};

// A float sample as the output wants it: float as it is (top is 0), or a code.
__device__ __forceinline__ void store_float(float value, float, float, float, u32, float& out) { out = value; }
template <class Sample>
__device__ __forceinline__ void store_float(float value, float offset, float unit, float top, u32 dither, Sample& out)
{
    out = (Sample)store(value, offset, unit, top, dither);
}

// A rectangle of a plane: rows top.., columns left.., height x width.
struct Rectangle {
    int top, left, height, width;
};

// Texture over a rectangle of the plane, one term a sample. terms: null for none.
struct Relief {
    const short* terms;
    Rectangle part;

    __device__ __forceinline__ bool touches_row(int y) const
    {
        return terms && y >= part.top && y < part.top + part.height;
    }
    __device__ __forceinline__ bool touches(int x) const { return x >= part.left && x < part.left + part.width; }
    __device__ __forceinline__ int at(int y, int x) const
    {
        return __ldg(terms + (long long)(y - part.top) * part.width + (x - part.left));
    }
};
