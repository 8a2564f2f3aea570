// Straight samples of resized premultiplied ones, between the extremes that the plane had. Twin of seen_part in
// grainkit/picture/resample.py. Blocks of 32 x 8 threads, four samples to a thread.
#include "samples.cuh"

__device__ __forceinline__ float held(float value, float least, float most)
{
    // By comparisons, so that what is no number stays none.
    const float above = value < least ? least : value;
    return above > most ? most : above;
}

// Pitches count samples. plain: the plane resized without alpha, and where the result goes; it stays where nothing is
// seen. black, unit: what the extent, that of the source's own samples, becomes a value by. seen: least alpha.
extern "C" __global__ void __launch_bounds__(256)
straight(float* __restrict__ plain, const float* __restrict__ premultiplied, const float* __restrict__ alpha,
         long long plain_pitch, long long pitch, int width, int height, const float* __restrict__ extent, float black,
         float unit, float seen)
{
    const int x = ((int)blockIdx.x * 32 + (int)threadIdx.x) * 4, row = (int)blockIdx.y * 8 + (int)threadIdx.y;
    if (x >= width || row >= height)
        return;
    const float least = (extent[0] - black) * unit, most = (extent[1] - black) * unit;
    Run<float, 4> own, part, share, out;
    load_run(own, row_of(plain, plain_pitch, row), x, width, on_vectors(plain, plain_pitch));
    load_run(part, row_of(premultiplied, pitch, row), x, width, on_vectors(premultiplied, pitch));
    load_run(share, row_of(alpha, pitch, row), x, width, on_vectors(alpha, pitch));
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        const float value = share.get(k) > seen ? part.get(k) / share.get(k) : own.get(k);
        out.set(k, held(value, least, most));
    }
    store_run(out, row_of(plain, plain_pitch, row), x, width, on_vectors(plain, plain_pitch));
}
