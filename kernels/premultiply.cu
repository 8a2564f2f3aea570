// Samples of a plane times their alpha, as float: what is then resized by weigh.cu. Twin of grainkit/picture/resample.py.
// Built with SOURCE_BITS: 8, 16, or 32 for float. Blocks of 32 x 8 threads, four samples to a thread.
#include "samples.cuh"

typedef SampleOf<SOURCE_BITS>::Type Source;

// Pitches count samples. black, unit: what is taken off a sample, and what it is then multiplied by. alpha: 0..1.
extern "C" __global__ void __launch_bounds__(256)
premultiply(const Source* __restrict__ source, long long source_pitch, float black, float unit,
            const float* __restrict__ alpha, long long alpha_pitch, float* __restrict__ target, long long target_pitch,
            int width, int height)
{
    const int x = ((int)blockIdx.x * 32 + (int)threadIdx.x) * 4, row = (int)blockIdx.y * 8 + (int)threadIdx.y;
    if (x >= width || row >= height)
        return;
    Run<Source, 4> in;
    Run<float, 4> share, out;
    load_run(in, row_of(source, source_pitch, row), x, width, on_vectors(source, source_pitch));
    load_run(share, row_of(alpha, alpha_pitch, row), x, width, on_vectors(alpha, alpha_pitch));
#pragma unroll
    for (int k = 0; k < 4; ++k)
        out.set(k, (((float)in.get(k) - black) * unit) * share.get(k));
    store_run(out, row_of(target, target_pitch, row), x, width, on_vectors(target, target_pitch));
}
