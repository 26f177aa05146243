// Activations: norms, and rounding to 8 bits per group of 32.
#pragma once

#include <math.h>

#include "team.h"
#include "types.h"

static inline void round_group(const float *values, int8_t *codes, float *scale, float *sum) {
    __m512 low = _mm512_loadu_ps(values), high = _mm512_loadu_ps(values + 16);
    float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
    if (_mm512_cmp_ps_mask(low, high, _CMP_UNORD_Q)) largest = NAN;  // a NaN must not be rounded away
    float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    __m512i low_codes = _mm512_cvtps_epi32(_mm512_mul_ps(low, _mm512_set1_ps(inverse)));
    __m512i high_codes = _mm512_cvtps_epi32(_mm512_mul_ps(high, _mm512_set1_ps(inverse)));
    _mm_storeu_si128((__m128i *)codes, _mm512_cvtsepi32_epi8(low_codes));
    _mm_storeu_si128((__m128i *)(codes + 16), _mm512_cvtsepi32_epi8(high_codes));
    *scale = largest / 127.0f;
    *sum = *scale * (float)_mm512_reduce_add_epi32(_mm512_add_epi32(low_codes, high_codes));
}

static void round_rows(const float *values, Rounded rounded, int64_t rows, int64_t inputs, Member *me) {
    int64_t from, to;
    while (next_share(me, rows * (inputs / GROUP), me->threads, &from, &to))
        for (int64_t item = from; item < to; item++)
            round_group(values + item * GROUP, rounded.codes + item * GROUP, rounded.scales + item,
                        rounded.sums + item);
}

// What a norm subtracts from a row and multiplies it by.
static inline void find_statistics(const Shape *shape, const float *row, float *mean, float *factor) {
    const int64_t size = shape->hidden;
    __m512 total = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (int64_t i = 0; i < size; i += 16) {
        __m512 value = _mm512_loadu_ps(row + i);
        total = _mm512_add_ps(total, value);
        squares = _mm512_fmadd_ps(value, value, squares);
    }
    *mean = shape->layer_norm ? _mm512_reduce_add_ps(total) / size : 0.0f;
    if (shape->layer_norm) {
        squares = _mm512_setzero_ps();
        for (int64_t i = 0; i < size; i += 16) {
            __m512 value = _mm512_sub_ps(_mm512_loadu_ps(row + i), _mm512_set1_ps(*mean));
            squares = _mm512_fmadd_ps(value, value, squares);
        }
    }
    *factor = 1.0f / sqrtf(_mm512_reduce_add_ps(squares) / size + shape->epsilon);
}

// Normalises rows and rounds them. Rows are shared out by group; each share finds the statistics of its rows itself.
static void normalise_and_round(const Shape *shape, const float *hidden, Norm norm, Rounded rounded, int64_t rows,
                                Member *me) {
    const int64_t size = shape->hidden, groups = size / GROUP;
    int64_t from, to;
    while (next_share(me, rows * groups, me->threads, &from, &to)) {
        float mean = 0, factor = 0;
        for (int64_t item = from; item < to; item++) {
            const float *row = hidden + item / groups * size;
            int64_t first = item % groups * GROUP;
            if (item == from || first == 0) find_statistics(shape, row, &mean, &factor);
            float normal[GROUP];
            for (int64_t i = 0; i < GROUP; i++) {
                normal[i] = (row[first + i] - mean) * factor * norm.weight[first + i];
                if (norm.bias) normal[i] += norm.bias[first + i];
            }
            round_group(normal, rounded.codes + item * GROUP, rounded.scales + item, rounded.sums + item);
        }
    }
}
