// A plane resized by weights: sums of neighbours down into shared memory, then across out of it, in one launch and
// with nothing kept in between. Twin of grainkit/picture/taps.py.
// Built with SOURCE_BITS: 8, 16, or 32 for float. Blocks of 32 x 8 threads: a warp works along a row.
#include "samples.cuh"

typedef SampleOf<SOURCE_BITS>::Type Source;
// Source samples that a thread loads at once: sixteen bytes.
#define RUN (128 / SOURCE_BITS)

__device__ __forceinline__ float bounded(float value, float least, float most)
{
    // By comparisons, so that what is no number stays none.
    const float above = value < least ? least : value;
    return above > most ? most : above;
}

// black, unit: what is taken off a sample, and what it is then multiplied by. width, height: of the target.
// rows, down: per target row, the first source row and `down_taps` weights.
// columns: per target column, the first source column; across: `across_taps` rows of a weight per target column.
// extent: least and most source sample, which the result stays between, or null.
// tile_width, tile_height: what a block makes. line: floats of shared memory per row of it, whole vectors.
struct WeighArguments {
    Rows<const Source> source;
    int source_width;
    float black, unit;
    Rows<float> target;
    int width, height;
    const int* rows;
    const float* down;
    int down_taps;
    const int* columns;
    const float* across;
    int across_taps;
    const float* extent;
    int tile_width, tile_height, line;
};

extern "C" __global__ void __launch_bounds__(256) weigh(const WeighArguments a)
{
    extern __shared__ uint4 shared[];
    float* lines = (float*)shared;
    const int left = (int)blockIdx.x * a.tile_width, first = (int)blockIdx.y * a.tile_height;
    const int right = min(left + a.tile_width, a.width), end = min(first + a.tile_height, a.height);
    const int low = __ldg(a.columns + left) / RUN * RUN;
    const int runs = (__ldg(a.columns + right - 1) + a.across_taps - low + RUN - 1) / RUN;
    const bool vectors = a.source.on_vectors();

    for (int y = first + (int)threadIdx.y; y < end; y += 8)
        for (int i = (int)threadIdx.x; i < runs; i += 32) {
            float sum[RUN];
#pragma unroll
            for (int k = 0; k < RUN; ++k)
                sum[k] = 0.0f;
            for (int tap = 0; tap < a.down_taps; ++tap) {
                Run<Source, RUN> in;
                load_run(in, a.source, __ldg(a.rows + y) + tap, low + i * RUN, a.source_width, vectors);
                const float weight = __ldg(a.down + (long long)y * a.down_taps + tap);
#pragma unroll
                for (int k = 0; k < RUN; ++k)
                    sum[k] = sum[k] + weight * (((float)in.get(k) - a.black) * a.unit);
            }
            Run<float, RUN> out;
#pragma unroll
            for (int k = 0; k < RUN; ++k)
                out.set(k, sum[k]);
            store_run(out, lines + (y - first) * a.line + i * RUN);
        }
    __syncthreads();

    const float least = a.extent ? (__ldg(a.extent) - a.black) * a.unit : 0.0f;
    const float most = a.extent ? (__ldg(a.extent + 1) - a.black) * a.unit : 0.0f;
    for (int y = first + (int)threadIdx.y; y < end; y += 8)
        for (int x = left + (int)threadIdx.x; x < right; x += 32) {
            const float* from = lines + (y - first) * a.line + __ldg(a.columns + x) - low;
            float sum = 0.0f;
            for (int tap = 0; tap < a.across_taps; ++tap)
                sum = sum + __ldg(a.across + (long long)tap * a.width + x) * from[tap];
            a.target.row(y)[x] = a.extent ? bounded(sum, least, most) : sum;
        }
}
