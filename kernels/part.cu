// Woven planes as GPU decoders leave them (NV12, P010: Cb and Cr in turn; samples in the high bits) to plain ones.
// Built with SAMPLE_BITS (8 or 16) and WOVEN: planes in the source, 1 or 2. Blocks of 32 x 8 threads.
#include "samples.cuh"

typedef SampleOf<SAMPLE_BITS>::Type Sample;
// Samples that a thread loads: sixteen bytes.
#define RUN (128 / SAMPLE_BITS)

// Pitches count samples. width, height: of a target. shift: empty bits below a sample. second: null where WOVEN is 1.
extern "C" __global__ void __launch_bounds__(256)
part(const Sample* __restrict__ source, long long source_pitch, Sample* __restrict__ first,
     Sample* __restrict__ second, long long target_pitch, int width, int height, int shift)
{
    const int x = ((int)blockIdx.x * 32 + (int)threadIdx.x) * (RUN / WOVEN);
    const int y = (int)blockIdx.y * 8 + (int)threadIdx.y;
    if (x >= width || y >= height)
        return;
    Run<Sample, RUN> in;
    load_run(in, row_of(source, source_pitch, y), x * WOVEN, width * WOVEN, on_vectors(source, source_pitch));
#pragma unroll
    for (int plane = 0; plane < WOVEN; ++plane) {
        Run<Sample, RUN / WOVEN> out;
#pragma unroll
        for (int k = 0; k < RUN / WOVEN; ++k)
            out.set(k, (Sample)(in.get(k * WOVEN + plane) >> shift));
        Sample* target = plane == 0 ? first : second;
        store_run(out, row_of(target, target_pitch, y), x, width, on_vectors(target, target_pitch));
    }
}
