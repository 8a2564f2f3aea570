// The least and the largest sample of a plane, passing over what is no number: a pair per block; launched once more over
// the pairs, as a plane of floats, with one block, the pair of the whole plane.
// Built with SOURCE_BITS: 8, 16, or 32 for float. Blocks of 256 threads, which share out rows.
#include "samples.cuh"

typedef SampleOf<SOURCE_BITS>::Type Source;
#define RUN (128 / SOURCE_BITS)
#define COUNT 256
#define WIDTH 16   // a second round of as many threads, each over COUNT / WIDTH

// blocks: how many there are. pairs: least and most of what each block saw, no numbers if nothing.
struct ExtentArguments {
    Rows<const Source> source;
    int width, height, blocks;
    float* pairs;
};

extern "C" __global__ void __launch_bounds__(256) extent(const ExtentArguments a)
{
    extern __shared__ uint4 shared[];
    float* least = (float*)shared;
    float* most = least + COUNT;
    const int me = (int)threadIdx.x;
    const bool vectors = a.source.on_vectors();
    float low = __uint_as_float(0x7f800000u), high = -low;
    for (int y = (int)blockIdx.x; y < a.height; y += a.blocks)
        for (int x = me * RUN; x < a.width; x += COUNT * RUN) {
            Run<Source, RUN> in;
            load_run(in, a.source, y, x, a.width, vectors);
#pragma unroll
            for (int k = 0; k < RUN; ++k) {
                const float value = (float)in.get(k);
                low = value < low ? value : low;
                high = value > high ? value : high;
            }
        }
    least[me] = low;
    most[me] = high;
    __syncthreads();
    if (me < WIDTH) {
        for (int i = me + WIDTH; i < COUNT; i += WIDTH) {
            low = least[i] < low ? least[i] : low;
            high = most[i] > high ? most[i] : high;
        }
        least[me] = low;
        most[me] = high;
    }
    __syncthreads();
    if (me == 0) {
        for (int i = 1; i < WIDTH; ++i) {
            low = least[i] < low ? least[i] : low;
            high = most[i] > high ? most[i] : high;
        }
        const float none = __uint_as_float(0x7fc00000u);
        a.pairs[2 * (int)blockIdx.x] = low <= high ? low : none;
        a.pairs[2 * (int)blockIdx.x + 1] = low <= high ? high : none;
    }
}
