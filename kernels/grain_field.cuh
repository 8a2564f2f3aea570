// One tile of the grain field and of the dither, made in shared memory by the whole block.
// The same integers as draw_grain in grainkit/backends/cpu_noise.py: white noise, filtered along rows and
// then along columns in 16-bit arithmetic, in two octaves. Sums are taken in 32 bits and cut to 16
// once, which gives the bits that cutting at every step gives.
#pragma once
#include "noise.cuh"

#define THREADS 256
#define TILE_W 128
#define TILE_H 32
// The coarse octave has half the resolution, and one sample more on every side.
#define HALF_W (TILE_W / 2 + 2)
#define HALF_H (TILE_H / 2 + 2)
// Rows of white noise held at a time: one call of the hash gives four, of four columns each.
#define DRAWN 32
#define LANES (THREADS / (DRAWN / 4))

#define ROW_SHIFT 4
#define COARSE_SHIFT 4
#define MIX_SHIFT 16
#define FIELD_LIMIT 2047

// One plane's grain, as the backend packs it: this header, and the half filters behind it, centre tap
// first: fine_x, fine_y, coarse_x, coarse_y.
struct Grain {
    int fine_rx, fine_ry, coarse_rx, coarse_ry, fine_weight, coarse_weight;
    u32 fine_key, coarse_key;
};

__device__ __forceinline__ int round_up(int value, int step)
{
    return (value + step - 1) / step * step;
}

// Shared memory of a block.
struct Room {
    short* field;         // TILE_H x TILE_W
    u16* dither;          // TILE_H x TILE_W
    short* coarse;        // HALF_H x HALF_W
    signed char* whites;  // DRAWN rows
    short* rows;          // the rest

    // grain: null where there is none. backends/cuda_pass.py works out the same sizes.
    __device__ Room(uint4* room, const Grain* grain)
    {
        char* at = (char*)room;
        field = (short*)at;
        at += TILE_W * TILE_H * sizeof(short);
        dither = (u16*)at;
        at += TILE_W * TILE_H * sizeof(u16);
        coarse = (short*)at;
        at += round_up(HALF_W * HALF_H * (int)sizeof(short), 16);
        whites = (signed char*)at;
        if (grain)
            at += DRAWN * round_up(max(TILE_W + 2 * __ldg(&grain->fine_rx), HALF_W + 2 * __ldg(&grain->coarse_rx)), 16);
        rows = (short*)at;
    }
};

// A row's filter at one sample.
__device__ __forceinline__ short filter_row(const signed char* line, const int* taps, int radius)
{
    int total = (1 << (ROW_SHIFT - 1)) + __ldg(taps) * line[0];
    for (int k = 1; k <= radius; ++k)
        total += __ldg(taps + k) * (line[-k] + line[k]);
    return (short)((short)total >> ROW_SHIFT);
}

// A column's filter at one sample, not shifted.
template <int width>
__device__ __forceinline__ short filter_column(const short* sample, const int* taps, int radius)
{
    int total = __ldg(taps) * sample[0];
    for (int k = 1; k <= radius; ++k)
        total += __ldg(taps + k) * (sample[-k * width] + sample[k * width]);
    return (short)total;
}

// The same four words with the next column's samples lowest.
__device__ __forceinline__ Words next_column(Words words)
{
    return {words.a >> 8, words.b >> 8, words.c >> 8, words.d >> 8};
}

// White noise of one column in four rows, from the lowest bytes of four words.
__device__ __forceinline__ void keep_white(signed char* column, int pitch, Words words)
{
    column[0] = (signed char)white(words.a);
    column[pitch] = (signed char)white(words.b);
    column[2 * pitch] = (signed char)white(words.c);
    column[3 * pitch] = (signed char)white(words.d);
}

// Rows top.. (a multiple of four, as is `drawn`) and columns left..left + width of one octave, drawn and
// filtered along rows into `rows`. The noise of every four rows is handed to keep(row, column, samples).
template <int width, class Keep>
__device__ __forceinline__ void draw_filtered(signed char* whites, short* rows, int left, int top, int drawn, u32 frame,
                                              u32 key, const int* taps, int radius, Keep keep)
{
    const int thread = (int)threadIdx.x, span = width + 2 * radius, pitch = round_up(span, 16);
    const int quad = thread / LANES, lane = thread % LANES;
    // Fours of columns that cover them: the first may begin before.
    const int group = (left - radius) >> 2, edge = (left - radius) & 3, groups = (edge + span + 3) >> 2;
    for (int done = 0; done < drawn; done += DRAWN) {
        const int row = 4 * quad;
        if (done + row < drawn)
            for (int i = lane; i < groups; i += LANES) {
                const u32 block = (u32)((top + done + row) >> 2);
                Words words = noise_words((u32)(group + i), block, frame, key);
                signed char* four = whites + row * pitch;
                for (int x = 4 * i - edge; x < 4 * i - edge + 4; ++x) {
                    if (x >= 0 && x < span) {
                        keep_white(four + x, pitch, words);
                        keep(done + row, x - radius, words);
                    }
                    words = next_column(words);
                }
            }
        __syncthreads();
        const int count = min(DRAWN, drawn - done);
        for (int i = thread; i < count * width; i += THREADS)
            rows[done * width + i] = filter_row(whites + i / width * pitch + radius + i % width, taps, radius);
        __syncthreads();
    }
}

// Keeps the dither of a tile whose first row is row `offset` of what is drawn.
struct KeepDither {
    u16* dither;
    int offset;

    __device__ __forceinline__ void keep_one(int row, int column, u32 word) const
    {
        if (row >= 0 && row < TILE_H)
            dither[row * TILE_W + column] = spread(word);
    }
    __device__ __forceinline__ void operator()(int row, int column, Words words) const
    {
        if (column < 0 || column >= TILE_W)
            return;
        keep_one(row - offset, column, words.a);
        keep_one(row - offset + 1, column, words.b);
        keep_one(row - offset + 2, column, words.c);
        keep_one(row - offset + 3, column, words.d);
    }
};

struct KeepNothing {
    __device__ __forceinline__ void operator()(int, int, Words) const {}
};

// Octaves added and clamped.
__device__ __forceinline__ int mix(int fine, int fine_weight, int coarse, int coarse_weight)
{
    const int sum = ((fine_weight * fine) >> MIX_SHIFT) + ((coarse_weight * coarse) >> MIX_SHIFT);
    return min(max(sum, -FIELD_LIMIT), FIELD_LIMIT);
}

// Three parts of the nearer row of the coarse octave, one of the further.
__device__ __forceinline__ short blend(short near, short far)
{
    return (short)((short)(3 * near + far + (1 << (COARSE_SHIFT - 1))) >> COARSE_SHIFT);
}

// The same along the row, with no bits dropped.
__device__ __forceinline__ short enlarge(short near, short far) { return (short)(3 * near + far); }

// Grain and dither of the tile whose top left sample is (left, first) of its plane; the block may read
// field and dither when it returns. grain: null for no grain, and dither drawn by the plane's number.
__device__ __forceinline__ void draw_tile(const Room& room, const Grain* grain, u32 plane, int left,
                                          int first, u32 frame)
{
    const int thread = (int)threadIdx.x;
    if (!grain) {
        for (int i = thread; i < TILE_W * TILE_H / 16; i += THREADS) {
            const int row = i / (TILE_W / 4) * 4, left_most = i % (TILE_W / 4) * 4;
            Words words = noise_words((u32)((left + left_most) >> 2), (u32)((first + row) >> 2), frame, plane);
            const KeepDither keep = {room.dither, 0};
            for (int column = left_most; column < left_most + 4; ++column) {
                keep(row, column, words);
                words = next_column(words);
                for (int k = 0; k < 4; ++k)
                    room.field[(row + k) * TILE_W + column] = 0;
            }
        }
        __syncthreads();
        return;
    }
    const int fine_rx = __ldg(&grain->fine_rx), fine_ry = __ldg(&grain->fine_ry);
    const int coarse_rx = __ldg(&grain->coarse_rx), coarse_ry = __ldg(&grain->coarse_ry);
    const int* fine_x = (const int*)(grain + 1);
    const int* fine_y = fine_x + fine_rx + 1;
    const int* coarse_x = fine_y + fine_ry + 1;
    const int* coarse_y = coarse_x + coarse_rx + 1;

    const int half_first = first / 2 - 1, half_left = left / 2 - 1;
    int top = (half_first - coarse_ry) & ~3, offset = half_first - coarse_ry - top;
    draw_filtered<HALF_W>(room.whites, room.rows, half_left, top, round_up(offset + HALF_H + 2 * coarse_ry, 4), frame,
                          __ldg(&grain->coarse_key), coarse_x, coarse_rx, KeepNothing{});
    for (int i = thread; i < HALF_W * HALF_H; i += THREADS) {
        const short* sample = room.rows + (offset + coarse_ry) * HALF_W + i;
        room.coarse[i] = filter_column<HALF_W>(sample, coarse_y, coarse_ry);
    }
    __syncthreads();

    top = (first - fine_ry) & ~3;
    offset = first - fine_ry - top;
    draw_filtered<TILE_W>(room.whites, room.rows, left, top, round_up(offset + TILE_H + 2 * fine_ry, 4), frame,
                          __ldg(&grain->fine_key), fine_x, fine_rx, KeepDither{room.dither, offset + fine_ry});
    const int fine_weight = __ldg(&grain->fine_weight), coarse_weight = __ldg(&grain->coarse_weight);
    for (int i = thread; i < TILE_H * TILE_W / 2; i += THREADS) {
        const int row = i / (TILE_W / 2), pair = i % (TILE_W / 2);
        const short* sample = room.rows + (offset + fine_ry + row) * TILE_W + 2 * pair;
        const short even = filter_column<TILE_W>(sample, fine_y, fine_ry);
        const short odd = filter_column<TILE_W>(sample + 1, fine_y, fine_ry);
        // Twofold enlargement around pixel centres: three parts of the nearer sample, one of the further.
        const short* near = room.coarse + (row / 2 + 1) * HALF_W + pair;
        const short* far = near + (row % 2 ? HALF_W : -HALF_W);
        const short centre = blend(near[1], far[1]);
        room.field[row * TILE_W + 2 * pair] =
            (short)mix(even, fine_weight, enlarge(centre, blend(near[0], far[0])), coarse_weight);
        room.field[row * TILE_W + 2 * pair + 1] =
            (short)mix(odd, fine_weight, enlarge(centre, blend(near[2], far[2])), coarse_weight);
    }
    __syncthreads();
}
