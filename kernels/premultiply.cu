// Samples of a plane times their alpha, as float: what is then resized by weigh.cu. Twin of grainkit/picture/resample.py.
// Built with SOURCE_BITS: 8, 16, or 32 for float. Blocks of 32 x 8 threads, four samples to a thread.
#include "samples.cuh"

typedef SampleOf<SOURCE_BITS>::Type Source;

// black, unit: what is taken off a sample, and what it is then multiplied by. alpha: 0..1.
struct PremultiplyArguments {
    Rows<const Source> source;
    float black, unit;
    Rows<const float> alpha;
    Rows<float> target;
    int width, height;
};

extern "C" __global__ void __launch_bounds__(256) premultiply(const PremultiplyArguments a)
{
    const int x = ((int)blockIdx.x * 32 + (int)threadIdx.x) * 4, row = (int)blockIdx.y * 8 + (int)threadIdx.y;
    if (x >= a.width || row >= a.height)
        return;
    Run<Source, 4> in;
    Run<float, 4> share, out;
    load_run(in, a.source, row, x, a.width, a.source.on_vectors());
    load_run(share, a.alpha, row, x, a.width, a.alpha.on_vectors());
#pragma unroll
    for (int k = 0; k < 4; ++k)
        out.set(k, (((float)in.get(k) - a.black) * a.unit) * share.get(k));
    store_run(out, a.target, row, x, a.width, a.target.on_vectors());
}
