// Full-range R'G'B' samples, three to a pixel, to float Y'CbCr planes. Twin of _from_rgb in grainkit/picture/rgb.py.
// Built with SOURCE_BITS: 8, 16, or 32 for float. Blocks of 32 x 8 threads, four pixels to a thread.
#include "samples.cuh"
#include "rgb.cuh"

typedef SampleOf<SOURCE_BITS>::Type Source;

// Pitches count samples. scale: 1 over the code of white.
extern "C" __global__ void __launch_bounds__(256)
from_rgb(const Source* __restrict__ rgb, long long rgb_pitch, float* __restrict__ luma, float* __restrict__ cb,
         float* __restrict__ cr, long long pitch, int width, int height, float scale, float kr, float kg, float kb,
         float cb_scale, float cr_scale)
{
    const int x = ((int)blockIdx.x * 32 + (int)threadIdx.x) * 4, row = (int)blockIdx.y * 8 + (int)threadIdx.y;
    if (x >= width || row >= height)
        return;
    const Weights weights = {kr, kg, kb, cb_scale, cr_scale};
    Run<Source, 4> in[3];
#pragma unroll
    for (int i = 0; i < 3; ++i)
        load_run(in[i], row_of(rgb, rgb_pitch, row), 3 * x + 4 * i, 3 * width, on_vectors(rgb, rgb_pitch));
    Run<float, 4> y_out, cb_out, cr_out;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        float part[3];
#pragma unroll
        for (int c = 0; c < 3; ++c)
            part[c] = (float)in[(3 * k + c) / 4].get((3 * k + c) % 4) * scale;
        const Ycc made = ycc(part[0], part[1], part[2], weights);
        y_out.set(k, made.y);
        cb_out.set(k, made.cb);
        cr_out.set(k, made.cr);
    }
    store_run(y_out, row_of(luma, pitch, row), x, width, on_vectors(luma, pitch));
    store_run(cb_out, row_of(cb, pitch, row), x, width, on_vectors(cb, pitch));
    store_run(cr_out, row_of(cr, pitch, row), x, width, on_vectors(cr, pitch));
}
