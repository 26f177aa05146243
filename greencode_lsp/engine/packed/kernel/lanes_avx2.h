// Lanes on x86-64 processors with AVX2, FMA and F16C (since 2013): 8 in a register. Some have AVX-VNNI for products.
#pragma once

#include <cpuid.h>
#include <immintrin.h>

#ifdef __AVXVNNI__
#define INSTRUCTIONS "AVX2 with VNNI"
#else
#define INSTRUCTIONS "AVX2"
#endif
#define LANES 8
#define ROW_TILE 6
#define FEW_REGISTERS

typedef __m256 Part;

static inline int supported_here(void) {
#ifdef __AVXVNNI__
    unsigned features = 0, b, c, d;
    if (!__get_cpuid_count(7, 1, &features, &b, &c, &d) || !(features & 1 << 4)) return 0;
#endif
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");  // all that have these have F16C, too
}

static inline void relax(void) { _mm_pause(); }

static inline Part zeros(void) { return _mm256_setzero_ps(); }
static inline Part all(float value) { return _mm256_set1_ps(value); }
static inline Part load(const float *at) { return _mm256_loadu_ps(at); }
static inline void store(float *at, Part part) { _mm256_storeu_ps(at, part); }
static inline Part load_half(const uint16_t *at) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)at)); }
static inline void store_half(uint16_t *at, Part part) {
    _mm_storeu_si128((__m128i *)at, _mm256_cvtps_ph(part, _MM_FROUND_TO_NEAREST_INT));
}
static inline float half(uint16_t value) { return _cvtsh_ss(value); }

static inline Part add(Part a, Part b) { return _mm256_add_ps(a, b); }
static inline Part subtract(Part a, Part b) { return _mm256_sub_ps(a, b); }
static inline Part times(Part a, Part b) { return _mm256_mul_ps(a, b); }
static inline Part over(Part a, Part b) { return _mm256_div_ps(a, b); }
static inline Part times_plus(Part a, Part b, Part c) { return _mm256_fmadd_ps(a, b, c); }    // a * b + c
static inline Part minus_times(Part c, Part a, Part b) { return _mm256_fnmadd_ps(a, b, c); }  // c - a * b
static inline Part larger_of(Part a, Part b) { return _mm256_max_ps(a, b); }
static inline Part absolute(Part a) { return _mm256_andnot_ps(all(-0.0f), a); }
static inline Part nearest(Part a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline Part times_power(Part a, Part whole) {  // a * 2^whole, for whole numbers from -126 to 127
    __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127)), 23);
    return times(a, _mm256_castsi256_ps(power));
}

static inline uint32_t are_equal(Part a, Part b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)); }
static inline uint32_t are_negative(Part a) { return _mm256_movemask_ps(_mm256_cmp_ps(a, zeros(), _CMP_LT_OQ)); }
static inline uint32_t are_not_finite(Part a) {
    Part apart = subtract(a, a);  // 0 where a is finite
    return _mm256_movemask_ps(_mm256_cmp_ps(apart, apart, _CMP_UNORD_Q));
}
static inline Part choose(uint32_t lanes, Part a, Part b) {  // a's lanes of the mask, b's others
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i taken = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)lanes), bit), bit);
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(taken));
}

static inline float sum_of(const Part *parts) {
    Part eight = add(parts[1], parts[0]);
    __m128 four = _mm_add_ps(_mm256_extractf128_ps(eight, 1), _mm256_castps256_ps128(eight));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static inline float largest_of(const Part *parts) {
    Part eight = larger_of(parts[1], parts[0]);
    __m128 four = _mm_max_ps(_mm256_extractf128_ps(eight, 1), _mm256_castps256_ps128(eight));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static inline int32_t sum_of_whole(__m256i eight) {
    __m128i four = _mm_add_epi32(_mm256_extracti128_si256(eight, 1), _mm256_castsi256_si128(eight));
    __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

// Rounds to whole numbers of 8 bits; returns their sum.
static inline int32_t round_part(Part part, int8_t *codes) {
    __m256i whole = _mm256_cvtps_epi32(part);
    __m128i sixteen = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64((__m128i *)codes, _mm_packs_epi16(sixteen, sixteen));
    return sum_of_whole(whole);
}

typedef struct {  // codes of half a group's 32 inputs for the lanes' outputs
    __m256i four[4];  // 4 inputs each
} HalfCodes;

static inline __attribute__((always_inline)) HalfCodes unpack_half_of_four_bits(const uint8_t *at) {
    HalfCodes codes;
    const __m256i low = _mm256_set1_epi8(0x0f);
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
        __m256i pair = _mm256_loadu_si256((const __m256i *)(at + 64 * j));
        codes.four[2 * j] = _mm256_and_si256(pair, low);
        codes.four[2 * j + 1] = _mm256_and_si256(_mm256_srli_epi16(pair, 4), low);
    }
    return codes;
}

typedef __m256i Products;  // sums of products for the lanes' outputs; `total_of` makes numbers of them

typedef struct {  // codes of a group's 32 inputs for the lanes' outputs
    __m256i four[8];  // 4 inputs each
} Codes;

#ifdef __AVXVNNI__

static inline Products add_products(Products sum, const HalfCodes *weights, int j, const Four *x) {
    return _mm256_dpbusd_avx_epi32(sum, weights->four[j], _mm256_set1_epi32(x[j]));
}

static inline Products first_products(const HalfCodes *weights, const Four *x) {
    return add_products(_mm256_setzero_si256(), weights, 0, x);
}

static inline Part total_of(Products sum) { return _mm256_cvtepi32_ps(sum); }

static inline __attribute__((always_inline)) Codes load_eight_bits(const uint8_t *at) {
    Codes codes;
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) codes.four[j] = _mm256_loadu_si256((const __m256i *)(at + 64 * j));
    return codes;
}

static inline __attribute__((always_inline)) Part dot_eight_bits(const Codes *weights, const Four *x, int32_t total) {
    __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int j = 0; j < 8; j += 2) {
        even = _mm256_dpbusd_avx_epi32(even, weights->four[j], _mm256_set1_epi32(x[j]));
        odd = _mm256_dpbusd_avx_epi32(odd, weights->four[j + 1], _mm256_set1_epi32(x[j + 1]));
    }
    return _mm256_cvtepi32_ps(_mm256_add_epi32(even, odd));
}

#else

// Keeps the compiler from summing in another order, many products at once: it would run out of registers, and load
// weights again for each row.
static inline Products in_this_order(Products sum) {
    __asm__("" : "+x"(sum));
    return sum;
}

// 8 * 2 products of 15 and 127 are the most that 16 bits are asked to hold: 30,480.
static inline Products first_products(const HalfCodes *weights, const Four *x) {
    return in_this_order(_mm256_maddubs_epi16(weights->four[0], _mm256_set1_epi32(x[0])));
}

static inline Products add_products(Products sum, const HalfCodes *weights, int j, const Four *x) {
    return in_this_order(_mm256_add_epi16(sum, _mm256_maddubs_epi16(weights->four[j], _mm256_set1_epi32(x[j]))));
}

static inline Part total_of(Products sum) { return _mm256_cvtepi32_ps(_mm256_madd_epi16(sum, _mm256_set1_epi16(1))); }

static inline __attribute__((always_inline)) Codes load_eight_bits(const uint8_t *at) {
    Codes codes;
    const __m256i sign = _mm256_set1_epi8((char)0x80);
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        codes.four[j] = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(at + 64 * j)), sign);  // less 128
    return codes;
}

// Signs go from weights to inputs, for one factor must have none; 2 products of 127 and 127 fit in 16 bits.
static inline __attribute__((always_inline)) Part dot_eight_bits(const Codes *weights, const Four *x, int32_t total) {
    __m256i sum = _mm256_set1_epi32(128 * total);
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        __m256i inputs = _mm256_sign_epi8(_mm256_set1_epi32(x[j]), weights->four[j]);
        __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weights->four[j]), inputs);
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    return _mm256_cvtepi32_ps(sum);
}

#endif
