// Float Y'CbCr planes to full-range R'G'B', three samples to a pixel. A pixel whose planes are still what its
// origin gives goes back to the origin's bits. Twin of _to_rgb in grainkit/picture/rgb.py.
// Built with TARGET_BITS: 8 (dithered), 16 (rounded), or 32 for float. Blocks of 32 x 8 threads, four pixels each.
#include "samples.cuh"
#include "rgb.cuh"

typedef SampleOf<TARGET_BITS>::Type Target;

// origin: samples the planes were made from, as wide and high, or null. scale, top: 1 over the code of white, and it.
// key, frame: what dither is drawn by.
struct ToRgbArguments {
    Rows<const float> luma, cb, cr;
    Rows<const Target> origin;
    Rows<Target> rgb;
    int width, height;
    float scale, top;
    Weights weights;
    u32 key, frame;
};

extern "C" __global__ void __launch_bounds__(256) to_rgb(const ToRgbArguments a)
{
    const int x = ((int)blockIdx.x * 32 + (int)threadIdx.x) * 4, row = (int)blockIdx.y * 8 + (int)threadIdx.y;
    if (x >= a.width || row >= a.height)
        return;
    const Weights weights = a.weights;
    const float r_gain = 1.0f / weights.cr_scale, b_gain = 1.0f / weights.cb_scale, g_gain = 1.0f / weights.kg;
    Run<float, 4> y_in, cb_in, cr_in;
    load_run(y_in, a.luma, row, x, a.width, a.luma.on_vectors());
    load_run(cb_in, a.cb, row, x, a.width, a.cb.on_vectors());
    load_run(cr_in, a.cr, row, x, a.width, a.cr.on_vectors());
    Run<Target, 4> known[3], out[3];
    if (a.origin.first) {
#pragma unroll
        for (int i = 0; i < 3; ++i)
            load_run(known[i], a.origin, row, 3 * x + 4 * i, 3 * a.width, a.origin.on_vectors());
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        const float y = y_in.get(k), u = cb_in.get(k), v = cr_in.get(k);
        Target from[3], to[3];
#pragma unroll
        for (int c = 0; c < 3; ++c)
            from[c] = known[(3 * k + c) / 4].get((3 * k + c) % 4);
        const Ycc same = ycc((float)from[0] * a.scale, (float)from[1] * a.scale, (float)from[2] * a.scale, weights);
        if (a.origin.first && same.y == y && same.cb == u && same.cr == v) {
#pragma unroll
            for (int c = 0; c < 3; ++c)
                to[c] = from[c];
        } else {
            const float r = y + v * r_gain, b = y + u * b_gain;
            const float g = (y - weights.kr * r - weights.kb * b) * g_gain;
            if constexpr (TARGET_BITS == 32) {
                to[0] = r;
                to[1] = g;
                to[2] = b;
            } else if constexpr (TARGET_BITS == 16) {
                to[0] = (Target)code(r, a.top, 0.5f);
                to[1] = (Target)code(g, a.top, 0.5f);
                to[2] = (Target)code(b, a.top, 0.5f);
            } else {
                const Words words = pcg4d((u32)(x + k), (u32)row, a.frame, a.key);
                to[0] = (Target)code(r, a.top, dither_unit(words.a));
                to[1] = (Target)code(g, a.top, dither_unit(words.b));
                to[2] = (Target)code(b, a.top, dither_unit(words.c));
            }
        }
#pragma unroll
        for (int c = 0; c < 3; ++c)
            out[(3 * k + c) / 4].set((3 * k + c) % 4, to[c]);
    }
#pragma unroll
    for (int i = 0; i < 3; ++i)
        store_run(out[i], a.rgb, row, 3 * x + 4 * i, 3 * a.width, a.rgb.on_vectors());
}
