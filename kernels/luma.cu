// The pass over an integer luma plane: texture, highlight curve, grain, dither, store.
// One block makes one tile. Built with SOURCE_BITS and TARGET_BITS (8 or 16) as bits of a sample in memory.
#include "grain_field.cuh"
#include "samples.cuh"
#include "tone.cuh"

typedef SampleOf<SOURCE_BITS>::Type Source;
typedef SampleOf<TARGET_BITS>::Type Target;
// Samples of one thread: sixteen bytes of the wider of the two.
#define RUN (128 / (SOURCE_BITS > TARGET_BITS ? SOURCE_BITS : TARGET_BITS))

// Pitches count samples. curve, gain: by source code. straight: last code up to which the curve is
// code << source_shift. black, last: codes of black and of the end of the scale. target_shift: fraction bits.
// high: the last code of the target in fixed point.
// relief: int16 terms of the rectangle at (relief_left, relief_top), or null. grain: see grain_field.cuh, or null.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
luma(const Source* __restrict__ source, long long source_pitch, Target* __restrict__ target, long long target_pitch,
     int width, int height, const int* __restrict__ curve, const int* __restrict__ gain, int straight,
     int source_shift, int target_shift, int black, int last, int high, const short* __restrict__ relief, int relief_top,
     int relief_left, int relief_height, int relief_width, const int* __restrict__ grain, u32 frame)
{
    extern __shared__ uint4 shared[];
    const Room room(shared, (const Grain*)grain);
    const int left = (int)blockIdx.x * TILE_W, first = (int)blockIdx.y * TILE_H;
    draw_tile(room, (const Grain*)grain, 0u, left, first, frame);

    const Relief texture = {relief, relief_top, relief_left, relief_height, relief_width};
    const bool load_vectors = on_vectors(source, source_pitch), store_vectors = on_vectors(target, target_pitch);
    for (int i = (int)threadIdx.x; i < TILE_H * (TILE_W / RUN); i += THREADS) {
        const int row = i / (TILE_W / RUN), column = i % (TILE_W / RUN) * RUN;
        const int y = first + row, x = left + column;
        if (x >= width || y >= height)
            continue;
        Run<Source, RUN> in;
        Run<Target, RUN> out;
        load_run(in, row_of(source, source_pitch, y), x, width, load_vectors);
        const bool touched = texture.touches_row(y);
        Run<short, RUN> field;
        Run<u16, RUN> dither;
        load_run(field, room.field + row * TILE_W + column);
        load_run(dither, room.dither + row * TILE_W + column);
#pragma unroll
        for (int k = 0; k < RUN; ++k) {
            const int code = in.get(k);
            int value = value_of(code, curve, straight, source_shift);
            if (touched && texture.touches(x + k))
                value = textured(code, texture.at(y, x + k), black, last, curve);
            const int amount = within(grain_of(gain[code], field.get(k), target_shift), value, 0, high);
            out.set(k, (Target)code_of(value + amount, dither.get(k), target_shift));
        }
        store_run(out, row_of(target, target_pitch, y), x, width, store_vectors);
    }
}
