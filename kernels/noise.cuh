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

// Sum of the four 6-bit numbers atop each byte of a word, less its mean: -126..126.
__device__ __forceinline__ int white(u32 word)
{
    const u32 fields = (word >> 2) & 0x3F3F3F3Fu;
    return (int)((fields * 0x01010101u) >> 24) - 126;
}

// Odd multiplier (2^32 / golden ratio) that makes dither bits out of a noise word.
#define SPREAD 0x9E3779B1u
