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

// Pitches count samples. black, unit: what is taken off a sample, and what it is then multiplied by.
// width, height: of the target. rows, down: per target row, the first source row and `down_taps` weights.
// columns: per target column, the first source column; across: `across_taps` rows of a weight per target column.
// extent: least and most source sample, which the result stays between, or null.
// tile_width, tile_height: what a block makes. line: floats of shared memory per row of it, whole vectors.
extern "C" __global__ void __launch_bounds__(256)
weigh(const Source* __restrict__ source, long long source_pitch, int source_width, float black, float unit,
      float* __restrict__ target, long long target_pitch, int width, int height, const int* __restrict__ rows,
      const float* __restrict__ down, int down_taps, const int* __restrict__ columns,
      const float* __restrict__ across, int across_taps, const float* __restrict__ extent, int tile_width,
      int tile_height, int line)
{
    extern __shared__ uint4 shared[];
    float* lines = (float*)shared;
    const int left = (int)blockIdx.x * tile_width, first = (int)blockIdx.y * tile_height;
    const int right = min(left + tile_width, width), end = min(first + tile_height, height);
    const int low = columns[left] / RUN * RUN;
    const int runs = (columns[right - 1] + across_taps - low + RUN - 1) / RUN;
    const bool vectors = on_vectors(source, source_pitch);

    for (int y = first + (int)threadIdx.y; y < end; y += 8)
        for (int i = (int)threadIdx.x; i < runs; i += 32) {
            float sum[RUN];
#pragma unroll
            for (int k = 0; k < RUN; ++k)
                sum[k] = 0.0f;
            for (int tap = 0; tap < down_taps; ++tap) {
                Run<Source, RUN> in;
                load_run(in, row_of(source, source_pitch, rows[y] + tap), low + i * RUN, source_width, vectors);
                const float weight = down[(long long)y * down_taps + tap];
#pragma unroll
                for (int k = 0; k < RUN; ++k)
                    sum[k] = sum[k] + weight * (((float)in.get(k) - black) * unit);
            }
            Run<float, RUN> out;
#pragma unroll
            for (int k = 0; k < RUN; ++k)
                out.set(k, sum[k]);
            store_run(out, lines + (y - first) * line + i * RUN);
        }
    __syncthreads();

    const float least = extent ? (extent[0] - black) * unit : 0.0f, most = extent ? (extent[1] - black) * unit : 0.0f;
    for (int y = first + (int)threadIdx.y; y < end; y += 8)
        for (int x = left + (int)threadIdx.x; x < right; x += 32) {
            const float* from = lines + (y - first) * line + columns[x] - low;
            float sum = 0.0f;
            for (int tap = 0; tap < across_taps; ++tap)
                sum = sum + across[(long long)tap * width + x] * from[tap];
            row_of(target, target_pitch, y)[x] = extent ? bounded(sum, least, most) : sum;
        }
}
