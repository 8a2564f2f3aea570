// Straight samples of resized premultiplied ones, between the extremes that the plane had. Twin of seen_part in
// grainkit/picture/resample.py. Blocks of 32 x 8 threads, four samples to a thread.
#include "samples.cuh"

__device__ __forceinline__ float held(float value, float least, float most)
{
    // By comparisons, so that what is no number stays none.
    const float above = value < least ? least : value;
    return above > most ? most : above;
}

// plain: the plane resized without alpha, and where the result goes; it stays where nothing is seen. extent: least and
// most of the source's own samples; black, unit: what they become values by. seen: least alpha.
struct StraightArguments {
    Rows<float> plain;
    Rows<const float> premultiplied, alpha;
    int width, height;
    const float* extent;
    float black, unit, seen;
};

extern "C" __global__ void __launch_bounds__(256) straight(const StraightArguments a)
{
    const int x = ((int)blockIdx.x * 32 + (int)threadIdx.x) * 4, row = (int)blockIdx.y * 8 + (int)threadIdx.y;
    if (x >= a.width || row >= a.height)
        return;
    const float least = (__ldg(a.extent) - a.black) * a.unit, most = (__ldg(a.extent + 1) - a.black) * a.unit;
    Run<float, 4> own, part, share, out;
    load_run(own, a.plain, row, x, a.width, a.plain.on_vectors());
    load_run(part, a.premultiplied, row, x, a.width, a.premultiplied.on_vectors());
    load_run(share, a.alpha, row, x, a.width, a.alpha.on_vectors());
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        const float value = share.get(k) > a.seen ? part.get(k) / share.get(k) : own.get(k);
        out.set(k, held(value, least, most));
    }
    store_run(out, a.plain, row, x, a.width, a.plain.on_vectors());
}
