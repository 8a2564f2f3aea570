// The pass over both integer chroma planes: chroma follows the highlight curve of the luma above it, then
// texture, grain, dither, store. One block makes one tile of Cb and then the same tile of Cr.
// Built with SOURCE_BITS, TARGET_BITS (8 or 16), ACROSS and DOWN (luma samples per chroma sample).
#include "grain_field.cuh"
#include "samples.cuh"
#include "tone.cuh"

typedef SampleOf<SOURCE_BITS>::Type Source;
typedef SampleOf<TARGET_BITS>::Type Target;
// Samples of one thread: sixteen bytes of luma above them, but no more than fit into registers.
#define RUN (SOURCE_BITS * ACROSS == 32 ? 4 : 8)

// Mean luma code under a chroma sample. Twin of _sited_luma: at the right and lower edge the last sample
// counts twice, which rounds as leaving it out would.
__device__ __forceinline__ int sited_luma(int upper_left, int upper_right, int lower_left, int lower_right)
{
    return (upper_left + upper_right + lower_left + lower_right + 2) >> 2;
}

// luma: the source's, luma_width x luma_height. curve, straight, *_shift: as in luma.cu, for chroma.
// gain: by luma code. luma_black, luma_unit, chroma_grey, chroma_unit: what normalises codes.
// r_cr, g_cb, g_cr, b_cb, knee, curvature, strength: see shoulder.cuh; strength 0 for no highlight curve.
// grey, low, high, relief_last: fixed-point values of the target. relief_unit: codes of the target in 1.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
chroma(const Source* __restrict__ luma, long long luma_pitch, int luma_width, int luma_height,
       const Source* __restrict__ cb, const Source* __restrict__ cr, long long source_pitch, Target* __restrict__ cb_target,
       Target* __restrict__ cr_target, long long target_pitch, int width, int height, const int* __restrict__ curve,
       const int* __restrict__ gain, int straight, int source_shift,
       int target_shift, float luma_black, float luma_unit, float chroma_grey, float chroma_unit, float r_cr,
       float g_cb, float g_cr, float b_cb, float knee, float curvature, float strength, int grey, int low, int high,
       const short* __restrict__ cb_relief, const short* __restrict__ cr_relief, int relief_top, int relief_left,
       int relief_height, int relief_width, int relief_unit, int relief_last, const int* __restrict__ cb_grain,
       const int* __restrict__ cr_grain, u32 frame)
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
            Run<Source, RUN> cb_in, cr_in;
            Run<Source, RUN * ACROSS> upper, lower;
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
                const int under = sited_luma(upper.get(a), upper.get(b), lower.get(a), lower.get(b));
                const int code = plane == 1 ? cb_in.get(k) : cr_in.get(k);
                int value = value_of(code, curve, straight, source_shift);
                if (strength > 0.0f) {
                    const float luminance = ((float)under - luma_black) * luma_unit;
                    const float u = ((float)cb_in.get(k) - chroma_grey) * chroma_unit;
                    const float v = ((float)cr_in.get(k) - chroma_grey) * chroma_unit;
                    const float most = largest(luminance, u, v, r_cr, g_cb, g_cr, b_cb);
                    if (most > knee)
                        value = scale_chroma(value, slope(luminance, most, knee, curvature, strength), grey);
                }
                if (touched && texture.touches(x + k))
                    value = min(max(value + ((texture.at(y, x + k) * relief_unit) >> (CHROMA_BITS - target_shift)), 0), relief_last);
                const int amount = within(grain_of(gain[under], field.get(k), target_shift), value, low, high);
                out.set(k, (Target)code_of(value + amount, dither.get(k), target_shift));
            }
            store_run(out, row_of(target, target_pitch, y), x, width, store_vectors);
        }
        // The next plane's tile is drawn over this one's.
        __syncthreads();
    }
}
