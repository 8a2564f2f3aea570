// The highlight shoulder. Twin of grainkit/backends/cpu_shoulder.py.
#pragma once

// The curve's numbers. strength: 0 for no curve.
struct Shoulder {
    float knee, curvature, strength;
};

// As numba's max and min: the first where they are equal or one is no number.
__device__ __forceinline__ float larger(float a, float b) { return b > a ? b : a; }
__device__ __forceinline__ float smaller(float a, float b) { return b < a ? b : a; }

__device__ __forceinline__ float roll(float n, float knee, float curvature, float strength)
{
    if (!(n > knee))
        return n;
    const float d = smaller(larger(n, knee), 1.0f) - knee;
    const float rolled = knee + d / sqrtf(1.0f + curvature * (d * d));
    return n + strength * (rolled - n);
}

// What chroma is scaled by: the shoulder's slope between luma and the largest channel.
__device__ __forceinline__ float slope(float y, float largest, float knee, float curvature, float strength)
{
    if (largest <= knee || largest - y < 1e-6f)
        return 1.0f;
    const float rise = roll(largest, knee, curvature, strength) - roll(y, knee, curvature, strength);
    return rise / (largest - y);
}

// max(R', G', B') of normalised Y', Cb, Cr; the weights are what Cb and Cr add to Y' in each channel.
__device__ __forceinline__ float largest(float y, float cb, float cr, float r_cr, float g_cb, float g_cr, float b_cb)
{
    return y + larger(larger(r_cr * cr, b_cb * cb), g_cb * cb + g_cr * cr);
}
