// The integer noise that grain and dither are drawn from. Twin of grainkit/picture/noise.py.
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

// Four rows of four noise samples: pcg4d, whose lowest bits are weak, with its upper bits over them.
__device__ __forceinline__ Words noise_words(u32 group, u32 block, u32 frame, u32 key)
{
    const Words words = pcg4d(group, block, frame, key);
    return {words.a ^ words.a >> 16, words.b ^ words.b >> 16, words.c ^ words.c >> 16, words.d ^ words.d >> 16};
}

// Sum of the two 4-bit numbers in the lowest byte of a word, less its mean: -15..15. A word holds four samples of
// a row, the leftmost in its lowest byte.
__device__ __forceinline__ int white(u32 word) { return (int)((word & 15u) + ((word >> 4) & 15u)) - 15; }

// Dither bits of a noise sample, the lowest byte of a word: spread by an odd multiplier, and in the upper byte.
__device__ __forceinline__ u16 spread(u32 word) { return (u16)((word & 0xFFu) * (149u << 8)); }
