// The pass over both float chroma planes (-0.5..0.5), stored as float or dithered to codes.
// Built with TARGET_BITS (8, 16, or 32 for float), ACROSS and DOWN.
#include "grain_field.cuh"
#include "samples.cuh"
#include "tone.cuh"

typedef SampleOf<TARGET_BITS>::Type Target;
// Samples of one thread: sixteen bytes of the source.
#define RUN 4

// gain: FLOAT_GAIN_STEPS + 1 entries over luma 0..1. The rest as in chroma.cu and luma_float.cu.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
chroma_float(const float* __restrict__ luma, long long luma_pitch, int luma_width, int luma_height,
             const float* __restrict__ cb, const float* __restrict__ cr, long long source_pitch,
             Target* __restrict__ cb_target, Target* __restrict__ cr_target, long long target_pitch, int width,
             int height, const float* __restrict__ gain, float r_cr, float g_cb,
             float g_cr, float b_cb, float knee, float curvature, float strength, float offset, float unit, float top,
             const short* __restrict__ cb_relief, const short* __restrict__ cr_relief, int relief_top, int relief_left,
             int relief_height, int relief_width, const int* __restrict__ cb_grain, const int* __restrict__ cr_grain,
             u32 frame)
{
    extern __shared__ uint4 shared[];
    const int left = (int)blockIdx.x * TILE_W, first = (int)blockIdx.y * TILE_H;
    const bool luma_vectors = on_vectors(luma, luma_pitch);

    for (int plane = 1; plane <= 2; ++plane) {
        const Grain* grain = (const Grain*)(plane == 1 ? cb_grain : cr_grain);
        Target* target = plane == 1 ? cb_target : cr_target;
        const Relief texture = {plane == 1 ? cb_relief : cr_relief, relief_top, relief_left, relief_height,
                                relief_width};
        const bool load_vectors = on_vectors(cb, source_pitch) && on_vectors(cr, source_pitch);
        const bool store_vectors = on_vectors(target, target_pitch);
        const Room room(shared, grain);
        draw_tile(room, grain, (u32)plane, left, first, frame);

        for (int i = (int)threadIdx.x; i < TILE_H * (TILE_W / RUN); i += THREADS) {
            const int row = i / (TILE_W / RUN), column = i % (TILE_W / RUN) * RUN;
            const int y = first + row, x = left + column;
            if (x >= width || y >= height)
                continue;
            Run<float, RUN> cb_in, cr_in;
            Run<float, RUN * ACROSS> upper, lower;
            Run<Target, RUN> out;
            load_run(cb_in, row_of(cb, source_pitch, y), x, width, load_vectors);
            load_run(cr_in, row_of(cr, source_pitch, y), x, width, load_vectors);
            load_run(upper, row_of(luma, luma_pitch, y * DOWN), x * ACROSS, luma_width, luma_vectors);
            if (DOWN == 1)
                lower = upper;
            else
                load_run(lower, row_of(luma, luma_pitch, min(y * DOWN + DOWN - 1, luma_height - 1)), x * ACROSS,
                     luma_width, luma_vectors);
            const bool touched = texture.touches_row(y);
            Run<short, RUN> field;
            Run<u16, RUN> dither;
            load_run(field, room.field + row * TILE_W + column);
            load_run(dither, room.dither + row * TILE_W + column);
#pragma unroll
            for (int k = 0; k < RUN; ++k) {
                const int a = k * ACROSS, b = a + ACROSS - 1;
                const float luminance = ((upper.get(a) + upper.get(b)) + (lower.get(a) + lower.get(b))) * 0.25f;
                const float most = largest(luminance, cb_in.get(k), cr_in.get(k), r_cr, g_cb, g_cr, b_cb);
                float value = plane == 1 ? cb_in.get(k) : cr_in.get(k);
                if (touched && texture.touches(x + k))
                    value = value + (float)texture.at(y, x + k) * CHROMA_UNIT;
                value = value * slope(luminance, most, knee, curvature, strength);
                const float room_left = larger(0.5f - fabsf(value), 0.0f);
                const float amount = float_gain(gain, luminance) * (float)field.get(k);
                value = value + smaller(larger(amount, -room_left), room_left);
                Target code;
                store_float(value, offset, unit, top, dither.get(k), code);
                out.set(k, code);
            }
            store_run(out, row_of(target, target_pitch, y), x, width, store_vectors);
        }
        // The next plane's tile is drawn over this one's.
        __syncthreads();
    }
}
