// Float Y'CbCr planes to full-range R'G'B', three samples to a pixel. A pixel whose planes are still what its
// origin gives goes back to the origin's bits. Twin of _to_rgb in grainkit/picture/rgb.py.
// Built with TARGET_BITS: 8 (dithered), 16 (rounded), or 32 for float. Blocks of 32 x 8 threads, four pixels each.
#include "samples.cuh"
#include "rgb.cuh"

typedef SampleOf<TARGET_BITS>::Type Target;

// origin: samples the planes were made from, as wide and high, or null. scale, top: 1 over the code of white, and it.
extern "C" __global__ void __launch_bounds__(256)
to_rgb(const float* __restrict__ luma, const float* __restrict__ cb, const float* __restrict__ cr, long long pitch,
       const Target* __restrict__ origin, long long origin_pitch, Target* __restrict__ rgb, long long rgb_pitch,
       int width, int height, float scale, float top, float kr, float kg, float kb, float cb_scale, float cr_scale,
       u32 key, u32 frame)
{
    const int x = ((int)blockIdx.x * 32 + (int)threadIdx.x) * 4, row = (int)blockIdx.y * 8 + (int)threadIdx.y;
    if (x >= width || row >= height)
        return;
    const Weights weights = {kr, kg, kb, cb_scale, cr_scale};
    const float r_gain = 1.0f / cr_scale, b_gain = 1.0f / cb_scale, g_gain = 1.0f / kg;
    Run<float, 4> y_in, cb_in, cr_in;
    load_run(y_in, row_of(luma, pitch, row), x, width, on_vectors(luma, pitch));
    load_run(cb_in, row_of(cb, pitch, row), x, width, on_vectors(cb, pitch));
    load_run(cr_in, row_of(cr, pitch, row), x, width, on_vectors(cr, pitch));
    Run<Target, 4> known[3], out[3];
    if (origin) {
#pragma unroll
        for (int i = 0; i < 3; ++i)
            load_run(known[i], row_of(origin, origin_pitch, row), 3 * x + 4 * i, 3 * width,
                 on_vectors(origin, origin_pitch));
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        const float y = y_in.get(k), u = cb_in.get(k), v = cr_in.get(k);
        Target from[3], to[3];
#pragma unroll
        for (int c = 0; c < 3; ++c)
            from[c] = known[(3 * k + c) / 4].get((3 * k + c) % 4);
        const Ycc same = ycc((float)from[0] * scale, (float)from[1] * scale, (float)from[2] * scale, weights);
        if (origin && same.y == y && same.cb == u && same.cr == v) {
#pragma unroll
            for (int c = 0; c < 3; ++c)
                to[c] = from[c];
        } else {
            const float r = y + v * r_gain, b = y + u * b_gain;
            const float g = (y - kr * r - kb * b) * g_gain;
            if constexpr (TARGET_BITS == 32) {
                to[0] = r;
                to[1] = g;
                to[2] = b;
            } else if constexpr (TARGET_BITS == 16) {
                to[0] = (Target)code(r, top, 0.5f);
                to[1] = (Target)code(g, top, 0.5f);
                to[2] = (Target)code(b, top, 0.5f);
            } else {
                const Words words = pcg4d((u32)(x + k), (u32)row, frame, key);
                to[0] = (Target)code(r, top, dither_unit(words.a));
                to[1] = (Target)code(g, top, dither_unit(words.b));
                to[2] = (Target)code(b, top, dither_unit(words.c));
            }
        }
#pragma unroll
        for (int c = 0; c < 3; ++c)
            out[(3 * k + c) / 4].set((3 * k + c) % 4, to[c]);
    }
#pragma unroll
    for (int i = 0; i < 3; ++i)
        store_run(out[i], row_of(rgb, rgb_pitch, row), 3 * x + 4 * i, 3 * width, on_vectors(rgb, rgb_pitch));
}
