// Woven planes as GPU decoders leave them (NV12, P010: Cb and Cr in turn; samples in the high bits) to plain ones.
// Built with SAMPLE_BITS (8 or 16) and WOVEN: planes in the source, 1 or 2. Blocks of 32 x 8 threads.
#include "samples.cuh"

typedef SampleOf<SAMPLE_BITS>::Type Sample;
// Samples that a thread loads: sixteen bytes.
#define RUN (128 / SAMPLE_BITS)

// width, height: of a target. shift: empty bits below a sample. second: nowhere if WOVEN is 1.
struct PartArguments {
    Rows<const Sample> source;
    Rows<Sample> first, second;
    int width, height, shift;
};

extern "C" __global__ void __launch_bounds__(256) part(const PartArguments a)
{
    const int x = ((int)blockIdx.x * 32 + (int)threadIdx.x) * (RUN / WOVEN);
    const int y = (int)blockIdx.y * 8 + (int)threadIdx.y;
    if (x >= a.width || y >= a.height)
        return;
    Run<Sample, RUN> in;
    load_run(in, a.source, y, x * WOVEN, a.width * WOVEN, a.source.on_vectors());
#pragma unroll
    for (int plane = 0; plane < WOVEN; ++plane) {
        Run<Sample, RUN / WOVEN> out;
#pragma unroll
        for (int k = 0; k < RUN / WOVEN; ++k)
            out.set(k, (Sample)(in.get(k * WOVEN + plane) >> a.shift));
        const Rows<Sample> target = plane == 0 ? a.first : a.second;
        store_run(out, target, y, x, a.width, target.on_vectors());
    }
}
