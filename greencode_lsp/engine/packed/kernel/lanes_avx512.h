// Lanes on x86-64 processors with AVX-512 VNNI: all 16 in one register.
#pragma once

#include <immintrin.h>

#define INSTRUCTIONS "AVX-512 VNNI"
#define LANES 16
#define ROW_TILE 8

typedef __m512 Part;

static inline int supported_here(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

static inline void relax(void) { _mm_pause(); }

static inline Part zeros(void) { return _mm512_setzero_ps(); }
static inline Part all(float value) { return _mm512_set1_ps(value); }
static inline Part load(const float *at) { return _mm512_loadu_ps(at); }
static inline void store(float *at, Part part) { _mm512_storeu_ps(at, part); }
static inline Part load_half(const uint16_t *at) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)at)); }
static inline void store_half(uint16_t *at, Part part) {
    _mm256_storeu_si256((__m256i *)at, _mm512_cvtps_ph(part, _MM_FROUND_TO_NEAREST_INT));
}
static inline float half(uint16_t value) { return _cvtsh_ss(value); }

static inline Part add(Part a, Part b) { return _mm512_add_ps(a, b); }
static inline Part subtract(Part a, Part b) { return _mm512_sub_ps(a, b); }
static inline Part times(Part a, Part b) { return _mm512_mul_ps(a, b); }
static inline Part over(Part a, Part b) { return _mm512_div_ps(a, b); }
static inline Part times_plus(Part a, Part b, Part c) { return _mm512_fmadd_ps(a, b, c); }    // a * b + c
static inline Part minus_times(Part c, Part a, Part b) { return _mm512_fnmadd_ps(a, b, c); }  // c - a * b
static inline Part larger_of(Part a, Part b) { return _mm512_max_ps(a, b); }
static inline Part absolute(Part a) { return _mm512_abs_ps(a); }
static inline Part nearest(Part a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline Part times_power(Part a, Part whole) { return _mm512_scalef_ps(a, whole); }  // a * 2^whole

static inline uint32_t are_equal(Part a, Part b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
static inline uint32_t are_negative(Part a) { return _mm512_cmp_ps_mask(a, zeros(), _CMP_LT_OQ); }
static inline uint32_t are_not_finite(Part a) { return _mm512_fpclass_ps_mask(a, 0x99); }
static inline Part choose(uint32_t lanes, Part a, Part b) {  // a's lanes of the mask, b's others
    return _mm512_mask_blend_ps((__mmask16)lanes, b, a);
}

static inline float sum_of(const Part *parts) { return _mm512_reduce_add_ps(parts[0]); }
static inline float largest_of(const Part *parts) { return _mm512_reduce_max_ps(parts[0]); }

// Rounds to whole numbers of 8 bits; returns their sum.
static inline int32_t round_part(Part part, int8_t *codes) {
    __m512i whole = _mm512_cvtps_epi32(part);
    _mm_storeu_si128((__m128i *)codes, _mm512_cvtsepi32_epi8(whole));
    return _mm512_reduce_add_epi32(whole);
}

typedef struct {  // codes of a group's 32 inputs for the lanes' outputs
    __m512i four[8];  // 4 inputs each
} Codes;

static inline __attribute__((always_inline)) Codes unpack_four_bits(const uint8_t *at) {
    Codes codes;
    const __m512i low = _mm512_set1_epi8(0x0f);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        __m512i pair = _mm512_loadu_si512(at + 64 * j);
        codes.four[2 * j] = _mm512_and_si512(pair, low);
        codes.four[2 * j + 1] = _mm512_and_si512(_mm512_srli_epi16(pair, 4), low);
    }
    return codes;
}

static inline __attribute__((always_inline)) Codes load_eight_bits(const uint8_t *at) {
    Codes codes;
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) codes.four[j] = _mm512_loadu_si512(at + 64 * j);
    return codes;
}

static inline __attribute__((always_inline)) Part dot_four_bits(const Codes *weights, const Four *x) {
    __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int j = 0; j < 8; j += 2) {
        even = _mm512_dpbusd_epi32(even, weights->four[j], _mm512_set1_epi32(x[j]));
        odd = _mm512_dpbusd_epi32(odd, weights->four[j + 1], _mm512_set1_epi32(x[j + 1]));
    }
    return _mm512_cvtepi32_ps(_mm512_add_epi32(even, odd));
}

static inline __attribute__((always_inline)) Part dot_eight_bits(const Codes *weights, const Four *x, int32_t total) {
    return dot_four_bits(weights, x);
}
