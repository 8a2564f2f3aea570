// The pass over a float luma plane (0 black, 1 white), stored as float or dithered to codes.
// Built with TARGET_BITS: 8 or 16 for codes, 32 for float.
#include "grain_field.cuh"
#include "samples.cuh"
#include "tone.cuh"

typedef SampleOf<TARGET_BITS>::Type Target;
// Samples of one thread: sixteen bytes of the source.
#define RUN 4

// gain: FLOAT_GAIN_STEPS + 1 entries over luma 0..1. offset, unit, top: code of black, codes from there to
// white, last code; all 0 for float. The rest as in luma.cu.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
luma_float(const float* __restrict__ source, long long source_pitch, Target* __restrict__ target,
           long long target_pitch, int width, int height, const float* __restrict__ gain, float knee, float curvature,
           float strength, float offset, float unit, float top, const short* __restrict__ relief, int relief_top,
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
        Run<float, RUN> in;
        Run<Target, RUN> out;
        load_run(in, row_of(source, source_pitch, y), x, width, load_vectors);
        const bool touched = texture.touches_row(y);
        Run<short, RUN> field;
        Run<u16, RUN> dither;
        load_run(field, room.field + row * TILE_W + column);
        load_run(dither, room.dither + row * TILE_W + column);
#pragma unroll
        for (int k = 0; k < RUN; ++k) {
            float luminance = in.get(k);
            if (touched && texture.touches(x + k))
                luminance = luminance + luminance * ((float)texture.at(y, x + k) * LUMA_UNIT);
            const float value = roll(luminance, knee, curvature, strength) + float_gain(gain, luminance) * (float)field.get(k);
            Target code;
            store_float(value, offset, unit, top, dither.get(k), code);
            out.set(k, code);
        }
        store_run(out, row_of(target, target_pitch, y), x, width, store_vectors);
    }
}
