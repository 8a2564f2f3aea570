// The pass over both chroma planes: chroma follows the luma above it, by its highlight curve and by the chroma
// factor, then texture, grain, dither, store. One block makes one tile of Cb and then the same tile of Cr.
// Built with SOURCE_BITS and TARGET_BITS as in luma.cu (floats are -0.5..0.5), ACROSS and DOWN (luma samples per
// chroma sample).
#include "grain_field.cuh"
#include "samples.cuh"
#include "tone.cuh"

typedef SampleOf<SOURCE_BITS>::Type Source;
typedef SampleOf<TARGET_BITS>::Type Target;
// Samples of one thread: sixteen bytes of luma above them, but no more than fit into registers.
#define RUN (SOURCE_BITS * ACROSS >= 32 ? 4 : 8)

// Mean luma code under a chroma sample. Twin of _sited_luma: at the right and lower edge the last sample
// counts twice, which rounds as leaving it out would.
__device__ __forceinline__ int sited_luma(int upper_left, int upper_right, int lower_left, int lower_right)
{
    return (upper_left + upper_right + lower_left + lower_right + 2) >> 2;
}

// What Cb and Cr add to Y' in each channel: see shoulder.cuh.
struct Channels {
    float r_cr, g_cb, g_cr, b_cb;
};

// What a code becomes. curve, straight, *_shift: as in luma.cu, for chroma. gain: by luma code. luma_curve,
// chroma_factor: normalised luma after its curve, and what chroma is scaled by beside the shoulder, by luma code; null
// for none.
// luma_black, luma_unit, chroma_grey, chroma_unit: what normalises codes. shoulder: of strength 0 for no highlight curve.
// grey, low, high, last: fixed-point values of the target, the last of the last code. relief_unit: codes of the target in 1.
template <class Sample> struct ChromaTone {
    const int *curve, *gain;
    const float *luma_curve, *chroma_factor;
    int straight, source_shift, target_shift;
    float luma_black, luma_unit, chroma_grey, chroma_unit;
    Channels channels;
    Shoulder shoulder;
    int grey, low, high, relief_unit, last;

    static __device__ __forceinline__ int under(Sample upper_left, Sample upper_right, Sample lower_left,
                                                Sample lower_right)
    {
        return sited_luma(upper_left, upper_right, lower_left, lower_right);
    }
    __device__ __forceinline__ Target finished(int code, int cb, int cr, int luma, bool touched, const Relief& texture,
                                               int y, int x, int field, u32 dither) const
    {
        int value = value_of(code, curve, straight, source_shift);
        float factor = chroma_factor ? __ldg(chroma_factor + luma) : 1.0f;
        if (shoulder.strength > 0.0f) {
            const float luminance = luma_curve ? __ldg(luma_curve + luma) : ((float)luma - luma_black) * luma_unit;
            const float u = ((float)cb - chroma_grey) * chroma_unit;
            const float v = ((float)cr - chroma_grey) * chroma_unit;
            const float most = largest(luminance, u, v, channels.r_cr, channels.g_cb, channels.g_cr, channels.b_cb);
            if (most > shoulder.knee)
                factor = slope(luminance, most, shoulder.knee, shoulder.curvature, shoulder.strength) * factor;
        }
        if (factor != 1.0f)
            value = scale_chroma(value, factor, grey, last);
        if (touched)
            value = min(max(value + ((texture.at(y, x) * relief_unit) >> (CHROMA_BITS - target_shift)), 0), last);
        const int amount = within(grain_of(__ldg(gain + luma), field, target_shift), value, low, high);
        return (Target)code_of(value + amount, dither, target_shift);
    }
};

// What a float becomes. luma_curve, chroma_factor, gain: LUMA_STEPS + 1 entries over luma 0..1; no curve and no factor
// where they are null.
template <> struct ChromaTone<float> {
    const float *luma_curve, *chroma_factor, *gain;
    Channels channels;
    Shoulder shoulder;
    Scale scale;

    static __device__ __forceinline__ float under(float upper_left, float upper_right, float lower_left,
                                                  float lower_right)
    {
        return ((upper_left + upper_right) + (lower_left + lower_right)) * 0.25f;
    }
    __device__ __forceinline__ Target finished(float value, float cb, float cr, float luminance, bool touched,
                                               const Relief& texture, int y, int x, int field, u32 dither) const
    {
        const float toned = luma_curve ? curved(luma_curve, luminance) : luminance;
        const float most = largest(toned, cb, cr, channels.r_cr, channels.g_cb, channels.g_cr, channels.b_cb);
        if (touched)
            value = value + (float)texture.at(y, x) * CHROMA_UNIT;
        float factor = slope(toned, most, shoulder.knee, shoulder.curvature, shoulder.strength);
        if (chroma_factor)
            factor = factor * at_luma(chroma_factor, luminance);
        value = value * factor;
        const float room_left = larger(0.5f - fabsf(value), 0.0f);
        const float amount = at_luma(gain, luminance) * (float)field;
        value = value + smaller(larger(amount, -room_left), room_left);
        Target code;
        store_float(value, scale.offset, scale.unit, scale.top, dither, code);
        return code;
    }
};

// luma: the source's, luma_width x luma_height. cb_terms, cr_terms: texture of `relief`, or null. cb_grain, cr_grain:
// see grain_field.cuh, or null.
struct ChromaArguments {
    Rows<const Source> luma;
    int luma_width, luma_height;
    Rows<const Source> cb, cr;
    Rows<Target> cb_target, cr_target;
    int width, height;
    ChromaTone<Source> tone;
    const short *cb_terms, *cr_terms;
    Rectangle relief;
    const int *cb_grain, *cr_grain;
    u32 frame;
};

extern "C" __global__ void __launch_bounds__(THREADS, 2) chroma(const ChromaArguments a)
{
    extern __shared__ uint4 shared[];
    const int left = (int)blockIdx.x * TILE_W, first = (int)blockIdx.y * TILE_H;
    const bool luma_vectors = a.luma.on_vectors();

    for (int plane = 1; plane <= 2; ++plane) {
        const Grain* grain = (const Grain*)(plane == 1 ? a.cb_grain : a.cr_grain);
        const Rows<Target> target = plane == 1 ? a.cb_target : a.cr_target;
        const Relief texture = {plane == 1 ? a.cb_terms : a.cr_terms, a.relief};
        const bool load_vectors = a.cb.on_vectors() && a.cr.on_vectors(), store_vectors = target.on_vectors();
        const Room room(shared, grain);
        draw_tile(room, grain, (u32)plane, left, first, a.frame);

        for (int i = (int)threadIdx.x; i < TILE_H * (TILE_W / RUN); i += THREADS) {
            const int row = i / (TILE_W / RUN), column = i % (TILE_W / RUN) * RUN;
            const int y = first + row, x = left + column;
            if (x >= a.width || y >= a.height)
                continue;
            Run<Source, RUN> cb, cr;
            Run<Source, RUN * ACROSS> upper, lower;
            Run<Target, RUN> out;
            load_run(cb, a.cb, y, x, a.width, load_vectors);
            load_run(cr, a.cr, y, x, a.width, load_vectors);
            load_run(upper, a.luma, y * DOWN, x * ACROSS, a.luma_width, luma_vectors);
            if (DOWN == 1)
                lower = upper;
            else
                load_run(lower, a.luma, min(y * DOWN + DOWN - 1, a.luma_height - 1), x * ACROSS, a.luma_width,
                         luma_vectors);
            const bool touched = texture.touches_row(y);
            Run<short, RUN> field;
            Run<u16, RUN> dither;
            load_run(field, room.field + row * TILE_W + column);
            load_run(dither, room.dither + row * TILE_W + column);
#pragma unroll
            for (int k = 0; k < RUN; ++k) {
                const int l = k * ACROSS, r = l + ACROSS - 1;
                out.set(k, a.tone.finished(plane == 1 ? cb.get(k) : cr.get(k), cb.get(k), cr.get(k),
                                           a.tone.under(upper.get(l), upper.get(r), lower.get(l), lower.get(r)),
                                           touched && texture.touches(x + k), texture, y, x + k, field.get(k),
                                           dither.get(k)));
            }
            store_run(out, target, y, x, a.width, store_vectors);
        }
        // The next plane's tile is drawn over this one's.
        __syncthreads();
    }
}
