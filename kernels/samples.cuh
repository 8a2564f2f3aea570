// Samples of a plane, sixteen bytes at a time where a run of them is that long: what one thread works on
// lies side by side in a row, and a warp's requests fill whole sectors.
#pragma once
#include "noise.cuh"

template <int bits> struct SampleOf;
template <> struct SampleOf<8> {
    typedef u8 Type;
};
template <> struct SampleOf<16> {
    typedef u16 Type;
};
template <> struct SampleOf<32> {
    typedef float Type;
};

__device__ __forceinline__ u32 bits_of(u8 sample) { return sample; }
__device__ __forceinline__ u32 bits_of(u16 sample) { return sample; }
__device__ __forceinline__ u32 bits_of(short sample) { return (u16)sample; }
__device__ __forceinline__ u32 bits_of(u32 sample) { return sample; }
__device__ __forceinline__ u32 bits_of(float sample) { return __float_as_uint(sample); }
__device__ __forceinline__ void from_bits(u32 bits, u8& sample) { sample = (u8)bits; }
__device__ __forceinline__ void from_bits(u32 bits, u16& sample) { sample = (u16)bits; }
__device__ __forceinline__ void from_bits(u32 bits, short& sample) { sample = (short)bits; }
__device__ __forceinline__ void from_bits(u32 bits, u32& sample) { sample = bits; }
__device__ __forceinline__ void from_bits(u32 bits, float& sample) { sample = __uint_as_float(bits); }

// `count` neighbouring samples in registers; indices must be known when compiling.
template <class Sample, int count> struct Run {
    enum { bytes = count * (int)sizeof(Sample), per_word = 4 / sizeof(Sample) };
    static_assert(bytes == 4 || bytes == 8 || bytes % 16 == 0, "a run is whole vectors");
    u32 word[bytes / 4] = {};

    __device__ __forceinline__ Sample get(int i) const
    {
        Sample sample;
        from_bits(word[i / per_word] >> (i % per_word * 8 * (int)sizeof(Sample)), sample);
        return sample;
    }
    // Each index once.
    __device__ __forceinline__ void set(int i, Sample sample)
    {
        word[i / per_word] |= bits_of(sample) << (i % per_word * 8 * (int)sizeof(Sample));
    }
};

// Rows of samples in the card's memory: where the first begins, and samples from one row to the next.
// Const samples are those that no thread of the launch writes; they are read by the path for such memory.
template <class Sample> struct Rows {
    Sample* first;
    long long pitch;

    __device__ __forceinline__ Sample* row(int y) const { return first + y * pitch; }
    // Vector access only where every row lies on sixteen bytes.
    __device__ __forceinline__ bool on_vectors() const
    {
        return (((unsigned long long)first | (unsigned long long)(pitch * (long long)sizeof(Sample))) & 15u) == 0;
    }
};

// How memory is read: as any, or by the path for what no thread of the launch writes.
struct Plain {
    template <class Value> static __device__ __forceinline__ Value read(const Value* at) { return *at; }
};
struct ReadOnly {
    template <class Value> static __device__ __forceinline__ Value read(const Value* at)
    {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
        return *at;  // The compiler for these has so many loads of that path under way that registers run short.
#else
        return __ldg(at);
#endif
    }
};
template <class Sample> struct PathTo {
    typedef Plain Path;
};
template <class Sample> struct PathTo<const Sample> {
    typedef ReadOnly Path;
};

// From memory that is whole, and lies on as many bytes as a vector has.
template <class Path = Plain, int count, class Sample>
__device__ __forceinline__ void load_run(Run<Sample, count>& run, const Sample* samples)
{
    if constexpr (Run<Sample, count>::bytes == 4) {
        run.word[0] = Path::read((const u32*)samples);
    } else if constexpr (Run<Sample, count>::bytes == 8) {
        const uint2 two = Path::read((const uint2*)samples);
        run.word[0] = two.x;
        run.word[1] = two.y;
    } else {
        const uint4* from = (const uint4*)samples;
#pragma unroll
        for (int i = 0; i < Run<Sample, count>::bytes / 16; ++i) {
            const uint4 four = Path::read(from + i);
            run.word[4 * i] = four.x;
            run.word[4 * i + 1] = four.y;
            run.word[4 * i + 2] = four.z;
            run.word[4 * i + 3] = four.w;
        }
    }
}

template <int count, class Sample>
__device__ __forceinline__ void store_run(const Run<Sample, count>& run, Sample* samples)
{
    if constexpr (Run<Sample, count>::bytes == 4) {
        *(u32*)samples = run.word[0];
    } else if constexpr (Run<Sample, count>::bytes == 8) {
        *(uint2*)samples = make_uint2(run.word[0], run.word[1]);
    } else {
        uint4* to = (uint4*)samples;
#pragma unroll
        for (int i = 0; i < Run<Sample, count>::bytes / 16; ++i)
            to[i] = make_uint4(run.word[4 * i], run.word[4 * i + 1], run.word[4 * i + 2], run.word[4 * i + 3]);
    }
}

// Samples x..x + count of row y; past the last of them (a row ends at `width`) the last one again.
// vectors: rows.on_vectors().
template <int count, class Sample, class Held>
__device__ __forceinline__ void load_run(Run<Sample, count>& run, const Rows<Held>& rows, int y, int x, int width,
                                         bool vectors)
{
    typedef typename PathTo<Held>::Path Path;
    const Sample* row = rows.row(y);
    if (vectors && x + count <= width) {
        load_run<Path>(run, row + x);
        return;
    }
#pragma unroll
    for (int i = 0; i < count; ++i)
        run.set(i, Path::read(row + min(x + i, width - 1)));
}

template <int count, class Sample>
__device__ __forceinline__ void store_run(const Run<Sample, count>& run, const Rows<Sample>& rows, int y, int x,
                                          int width, bool vectors)
{
    Sample* row = rows.row(y);
    if (vectors && x + count <= width) {
        store_run(run, row + x);
        return;
    }
#pragma unroll
    for (int i = 0; i < count; ++i)
        if (x + i < width)
            row[x + i] = run.get(i);
}
