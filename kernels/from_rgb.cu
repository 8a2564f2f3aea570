// Full-range R'G'B' samples, three to a pixel, to float Y'CbCr planes. Twin of _from_rgb in grainkit/picture/rgb.py.
// Built with SOURCE_BITS: 8, 16, or 32 for float. Blocks of 32 x 8 threads, four pixels to a thread.
#include "samples.cuh"
#include "rgb.cuh"

typedef SampleOf<SOURCE_BITS>::Type Source;

// rgb: rows of 3 * width samples. scale: 1 over the code of white.
struct FromRgbArguments {
    Rows<const Source> rgb;
    Rows<float> luma, cb, cr;
    int width, height;
    float scale;
    Weights weights;
};

extern "C" __global__ void __launch_bounds__(256) from_rgb(const FromRgbArguments a)
{
    const int x = ((int)blockIdx.x * 32 + (int)threadIdx.x) * 4, row = (int)blockIdx.y * 8 + (int)threadIdx.y;
    if (x >= a.width || row >= a.height)
        return;
    Run<Source, 4> in[3];
#pragma unroll
    for (int i = 0; i < 3; ++i)
        load_run(in[i], a.rgb, row, 3 * x + 4 * i, 3 * a.width, a.rgb.on_vectors());
    Run<float, 4> y_out, cb_out, cr_out;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        float part[3];
#pragma unroll
        for (int c = 0; c < 3; ++c)
            part[c] = (float)in[(3 * k + c) / 4].get((3 * k + c) % 4) * a.scale;
        const Ycc made = ycc(part[0], part[1], part[2], a.weights);
        y_out.set(k, made.y);
        cb_out.set(k, made.cb);
        cr_out.set(k, made.cr);
    }
    store_run(y_out, a.luma, row, x, a.width, a.luma.on_vectors());
    store_run(cb_out, a.cb, row, x, a.width, a.cb.on_vectors());
    store_run(cr_out, a.cr, row, x, a.width, a.cr.on_vectors());
}
