// Lanes on 64-bit ARM processors with NEON and dot products (Apple's, and others since 2018): 4 in a register.
#pragma once

#include <arm_neon.h>

#ifdef __linux__
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#define INSTRUCTIONS "NEON"
#define LANES 4
#define ROW_TILE 8

typedef float32x4_t Part;

static inline int supported_here(void) {
#ifdef __linux__
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
    return 1;  // Apple has made no other
#endif
}

static inline void relax(void) { __asm__ volatile("yield"); }

static inline Part zeros(void) { return vdupq_n_f32(0); }
static inline Part all(float value) { return vdupq_n_f32(value); }
static inline Part load(const float *at) { return vld1q_f32(at); }
static inline void store(float *at, Part part) { vst1q_f32(at, part); }
static inline Part load_half(const uint16_t *at) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(at))); }
static inline void store_half(uint16_t *at, Part part) { vst1_u16(at, vreinterpret_u16_f16(vcvt_f16_f32(part))); }
static inline float half(uint16_t value) {
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(value))), 0);
}

static inline Part add(Part a, Part b) { return vaddq_f32(a, b); }
static inline Part subtract(Part a, Part b) { return vsubq_f32(a, b); }
static inline Part times(Part a, Part b) { return vmulq_f32(a, b); }
static inline Part over(Part a, Part b) { return vdivq_f32(a, b); }
static inline Part times_plus(Part a, Part b, Part c) { return vfmaq_f32(c, a, b); }   // a * b + c
static inline Part minus_times(Part c, Part a, Part b) { return vfmsq_f32(c, a, b); }  // c - a * b
static inline Part larger_of(Part a, Part b) { return vmaxq_f32(a, b); }
static inline Part absolute(Part a) { return vabsq_f32(a); }
static inline Part nearest(Part a) { return vrndnq_f32(a); }
static inline Part times_power(Part a, Part whole) {  // a * 2^whole, for whole numbers from -126 to 127
    int32x4_t power = vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(whole), vdupq_n_s32(127)), 23);
    return times(a, vreinterpretq_f32_s32(power));
}

static inline uint32x4_t bits_of_lanes(void) { return (uint32x4_t){1, 2, 4, 8}; }
static inline uint32_t mask_of(uint32x4_t lanes) { return vaddvq_u32(vandq_u32(lanes, bits_of_lanes())); }
static inline uint32_t are_equal(Part a, Part b) { return mask_of(vceqq_f32(a, b)); }
static inline uint32_t are_negative(Part a) { return mask_of(vcltzq_f32(a)); }
static inline uint32_t are_not_finite(Part a) {
    Part apart = subtract(a, a);  // 0 where a is finite
    return mask_of(vmvnq_u32(vceqq_f32(apart, apart)));
}
static inline Part choose(uint32_t lanes, Part a, Part b) {  // a's lanes of the mask, b's others
    return vbslq_f32(vtstq_u32(vdupq_n_u32(lanes), bits_of_lanes()), a, b);
}

static inline float sum_of(const Part *parts) {
    Part four = add(add(parts[3], parts[1]), add(parts[2], parts[0]));
    float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

static inline float largest_of(const Part *parts) {
    return vmaxvq_f32(larger_of(larger_of(parts[3], parts[1]), larger_of(parts[2], parts[0])));
}

// Rounds to whole numbers of 8 bits; returns their sum.
static inline int32_t round_part(Part part, int8_t *codes) {
    int32x4_t whole = vcvtnq_s32_f32(part);
    int16x4_t sixteen = vqmovn_s32(whole);
    int8x8_t eight = vqmovn_s16(vcombine_s16(sixteen, sixteen));
    vst1_lane_s32((int32_t *)codes, vreinterpret_s32_s8(eight), 0);
    return vaddvq_s32(whole);
}

typedef struct {  // codes of a group's 32 inputs for the lanes' outputs
    int8x16_t four[8];  // 4 inputs each
} Codes;

static inline __attribute__((always_inline)) Codes unpack_four_bits(const uint8_t *at) {
    Codes codes;
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        uint8x16_t pair = vld1q_u8(at + 64 * j);
        codes.four[2 * j] = vreinterpretq_s8_u8(vandq_u8(pair, vdupq_n_u8(0x0f)));
        codes.four[2 * j + 1] = vreinterpretq_s8_u8(vshrq_n_u8(pair, 4));
    }
    return codes;
}

static inline __attribute__((always_inline)) Codes load_eight_bits(const uint8_t *at) {
    Codes codes;
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        codes.four[j] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(at + 64 * j), vdupq_n_u8(0x80)));  // less 128
    return codes;
}

static inline __attribute__((always_inline)) Part dot(const Codes *weights, const Four *x, int32_t least) {
    const int8x16_t low = vld1q_s8((const int8_t *)x), high = vld1q_s8((const int8_t *)(x + 4));
    int32x4_t even = vdupq_n_s32(least), odd = vdupq_n_s32(0);
    even = vdotq_laneq_s32(even, weights->four[0], low, 0);
    odd = vdotq_laneq_s32(odd, weights->four[1], low, 1);
    even = vdotq_laneq_s32(even, weights->four[2], low, 2);
    odd = vdotq_laneq_s32(odd, weights->four[3], low, 3);
    even = vdotq_laneq_s32(even, weights->four[4], high, 0);
    odd = vdotq_laneq_s32(odd, weights->four[5], high, 1);
    even = vdotq_laneq_s32(even, weights->four[6], high, 2);
    odd = vdotq_laneq_s32(odd, weights->four[7], high, 3);
    return vcvtq_f32_s32(vaddq_s32(even, odd));
}

static inline __attribute__((always_inline)) Part dot_four_bits(const Codes *weights, const Four *x) {
    return dot(weights, x, 0);
}

static inline __attribute__((always_inline)) Part dot_eight_bits(const Codes *weights, const Four *x, int32_t total) {
    return dot(weights, x, 128 * total);
}
