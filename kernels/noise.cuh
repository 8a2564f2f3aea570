// The integer noise that grain and dither are drawn from. Twin of grainkit/noise.py.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

struct Words {
    u32 a, b, c, d;
};

// Jarzynski & Olano, JCGT 9(3) 2020, pcg4d: four words mixed jointly into four.
__device__ __forceinline__ Words pcg4d(u32 a, u32 b, u32 c, u32 d)
{
    a = a * 1664525u + 1013904223u;
    b = b * 1664525u + 1013904223u;
    c = c * 1664525u + 1013904223u;
    d = d * 1664525u + 1013904223u;
    a += b * d;
    b += c * a;
    c += a * b;
    d += b * c;
    a ^= a >> 16;
    b ^= b >> 16;
    c ^= c >> 16;
    d ^= d >> 16;
    a += b * d;
    b += c * a;
    c += a * b;
    d += b * c;
    return {a, b, c, d};
}

// Sum of the four 4-bit numbers in the low half of a word, less its mean: -30..30. A word holds two samples of
// a row: the one at the even column in its low half.
__device__ __forceinline__ int white(u32 half)
{
    const u32 pairs = (half & 0x0F0Fu) + ((half >> 4) & 0x0F0Fu);
    return (int)(((pairs * 0x0101u) >> 8) & 0xFFu) - 30;
}

// Dither bits of a noise sample, the low half of a word: spread by an odd multiplier, 2^16 / golden ratio.
__device__ __forceinline__ u16 spread(u32 half)
{
    return (u16)((half & 0xFFFFu) * 0x9E37u);
}
