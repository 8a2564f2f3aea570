// The pass over a luma plane: texture, luma curve, highlight curve, grain, dither, store. One block makes one tile.
// Built with SOURCE_BITS and TARGET_BITS as bits of a sample in memory: 8 or 16 for codes, 32 for float (0 black,
// 1 white). Codes become codes; floats stay float or become codes.
#include "grain_field.cuh"
#include "samples.cuh"
#include "tone.cuh"

typedef SampleOf<SOURCE_BITS>::Type Source;
typedef SampleOf<TARGET_BITS>::Type Target;
// Samples of one thread: sixteen bytes of the wider of the two.
#define RUN (128 / (SOURCE_BITS > TARGET_BITS ? SOURCE_BITS : TARGET_BITS))

// What a code becomes. curve, gain: by source code. straight: last code up to which the curve is code << source_shift.
// target_shift: fraction bits. black, last: codes of black and of the end of the scale. high: the last code of the
// target in fixed point.
template <class Sample> struct LumaTone {
    const int *curve, *gain;
    int straight, source_shift, target_shift, black, last, high;

    __device__ __forceinline__ Target finished(Sample code, bool touched, const Relief& texture, int y, int x, int field,
                                               u32 dither) const
    {
        int value = value_of(code, curve, straight, source_shift);
        if (touched)
            value = textured(code, texture.at(y, x), black, last, curve);
        const int amount = within(grain_of(__ldg(gain + code), field, target_shift), value, 0, high);
        return (Target)code_of(value + amount, dither, target_shift);
    }
};

// What a float becomes. luma_curve, gain: LUMA_STEPS + 1 entries over luma 0..1; no curve where it is null.
template <> struct LumaTone<float> {
    const float *luma_curve, *gain;
    Shoulder shoulder;
    Scale scale;

    __device__ __forceinline__ Target finished(float luminance, bool touched, const Relief& texture, int y, int x,
                                               int field, u32 dither) const
    {
        if (touched)
            luminance = luminance + luminance * ((float)texture.at(y, x) * LUMA_UNIT);
        const float toned = luma_curve ? curved(luma_curve, luminance) : luminance;
        const float value = roll(toned, shoulder.knee, shoulder.curvature, shoulder.strength) +
                            at_luma(gain, luminance) * (float)field;
        Target code;
        store_float(value, scale.offset, scale.unit, scale.top, dither, code);
        return code;
    }
};

// grain: see grain_field.cuh, or null.
struct LumaArguments {
    Rows<const Source> source;
    Rows<Target> target;
    int width, height;
    LumaTone<Source> tone;
    Relief relief;
    const int* grain;
    u32 frame;
};

extern "C" __global__ void __launch_bounds__(THREADS, 2) luma(const LumaArguments a)
{
    extern __shared__ uint4 shared[];
    const Grain* grain = (const Grain*)a.grain;
    const Room room(shared, grain);
    const int left = (int)blockIdx.x * TILE_W, first = (int)blockIdx.y * TILE_H;
    draw_tile(room, grain, 0u, left, first, a.frame);

    const bool load_vectors = a.source.on_vectors(), store_vectors = a.target.on_vectors();
    for (int i = (int)threadIdx.x; i < TILE_H * (TILE_W / RUN); i += THREADS) {
        const int row = i / (TILE_W / RUN), column = i % (TILE_W / RUN) * RUN;
        const int y = first + row, x = left + column;
        if (x >= a.width || y >= a.height)
            continue;
        Run<Source, RUN> in;
        Run<Target, RUN> out;
        load_run(in, a.source, y, x, a.width, load_vectors);
        const bool touched = a.relief.touches_row(y);
        Run<short, RUN> field;
        Run<u16, RUN> dither;
        load_run(field, room.field + row * TILE_W + column);
        load_run(dither, room.dither + row * TILE_W + column);
#pragma unroll
        for (int k = 0; k < RUN; ++k)
            out.set(k, a.tone.finished(in.get(k), touched && a.relief.touches(x + k), a.relief, y, x + k, field.get(k),
                                       dither.get(k)));
        store_run(out, a.target, y, x, a.width, store_vectors);
    }
}
