// Linear maps on packed weights, with the activations of an MLP.
#pragma once

#include <string.h>

#include "rounding.h"

typedef int32_t __attribute__((may_alias)) Four;  // 4 codes, read from memory into all lanes at once

// Sums of one block of 16 outputs for `rows` (at most ROW_TILE, known when inlined) rows.
static inline __attribute__((always_inline)) void multiply_block(const Linear *map, int64_t block, Rounded x,
                                                                 int64_t row, const int rows, __m512 *sums) {
    const int64_t groups = map->inputs / GROUP;
    const int four = map->bits == 4;
    const uint8_t *codes = map->codes + block * groups * (four ? 256 : 512);
    const uint16_t *scales = map->scales + block * groups * (four ? 32 : 16);
    const __m512i half = _mm512_set1_epi8(0x0f);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) sums[r] = _mm512_setzero_ps();
    for (int64_t group = 0; group < groups; group++) {
        __m512i weights[8];
        __m512 scale, minimum;
        if (four) {
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                __m512i pair = _mm512_loadu_si512(codes + 64 * j);
                weights[2 * j] = _mm512_and_si512(pair, half);
                weights[2 * j + 1] = _mm512_and_si512(_mm512_srli_epi16(pair, 4), half);
            }
            scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales));
            minimum = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(scales + 16)));
            codes += 256;
            scales += 32;
        } else {
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++) weights[j] = _mm512_loadu_si512(codes + 64 * j);
            scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales));
            minimum = _mm512_mul_ps(scale, _mm512_set1_ps(-128.0f));
            codes += 512;
            scales += 16;
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            const int64_t at = (row + r) * groups + group;
            const Four *inputs = (const Four *)(x.codes + at * GROUP);
            __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
#pragma GCC unroll 4
            for (int j = 0; j < 8; j += 2) {
                even = _mm512_dpbusd_epi32(even, weights[j], _mm512_set1_epi32(inputs[j]));
                odd = _mm512_dpbusd_epi32(odd, weights[j + 1], _mm512_set1_epi32(inputs[j + 1]));
            }
            __m512 dot = _mm512_cvtepi32_ps(_mm512_add_epi32(even, odd));
            sums[r] = _mm512_fmadd_ps(_mm512_mul_ps(scale, _mm512_set1_ps(x.scales[at])), dot, sums[r]);
            sums[r] = _mm512_fmadd_ps(minimum, _mm512_set1_ps(x.sums[at]), sums[r]);
        }
    }
    if (map->bias)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sums[r] = _mm512_add_ps(sums[r], _mm512_loadu_ps(map->bias + block * BLOCK));
}

static void multiply_tile(const Linear *map, int64_t block, Rounded x, int64_t row, int64_t rows, __m512 *sums) {
    switch (rows) {
        case 1: multiply_block(map, block, x, row, 1, sums); break;
        case 2: multiply_block(map, block, x, row, 2, sums); break;
        case 3: multiply_block(map, block, x, row, 3, sums); break;
        case 4: multiply_block(map, block, x, row, 4, sums); break;
        case 5: multiply_block(map, block, x, row, 5, sums); break;
        case 6: multiply_block(map, block, x, row, 6, sums); break;
        case 7: multiply_block(map, block, x, row, 7, sums); break;
        default: multiply_block(map, block, x, row, ROW_TILE, sums); break;
    }
}

// out[row, :] = map(x[row]), or out += map(x).
static void multiply(const Linear *map, Rounded x, int64_t rows, float *out, int add, Member *me) {
    int64_t from, to;
    while (next_share(me, map->outputs / BLOCK, 2 * me->threads, &from, &to))
        for (int64_t block = from; block < to; block++)
            for (int64_t row = 0; row < rows; row += ROW_TILE) {
                __m512 sums[ROW_TILE];
                int64_t count = tile(rows, row);
                multiply_tile(map, block, x, row, count, sums);
                for (int64_t r = 0; r < count; r++) {
                    float *place = out + (row + r) * map->outputs + block * BLOCK;
                    _mm512_storeu_ps(place, add ? _mm512_add_ps(_mm512_loadu_ps(place), sums[r]) : sums[r]);
                }
            }
}

static inline __m512 exponential(__m512 x) {  // within 2 units in the last place for x <= 0
    x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
    __m512 whole = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
    __m512 rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(0.693359375f), x);
    rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(-2.12194440e-4f), rest);
    __m512 y = _mm512_set1_ps(1.9875691500e-4f);
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.3981999507e-3f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(8.3334519073e-3f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(4.1665795894e-2f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.6666665459e-1f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(5.0000001201e-1f));
    y = _mm512_fmadd_ps(y, _mm512_mul_ps(rest, rest), _mm512_add_ps(rest, _mm512_set1_ps(1.0f)));
    return _mm512_scalef_ps(y, whole);
}

static inline __m512 silu(__m512 x) {
    __m512 decay = exponential(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_abs_ps(x)));  // e^-|x|
    __m512 above = _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), decay));
    return _mm512_mask_mul_ps(above, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), above, decay);
}

// out = activation(mlp_in(x)), `width` wide: silu(gate) * up for gated models, relu otherwise.
static void multiply_and_activate(const Shape *shape, const Linear *map, int64_t width, Rounded x, int64_t rows,
                                  float *out, Member *me) {
    const int64_t blocks = width / BLOCK;
    int64_t from, to;
    while (next_share(me, blocks, 2 * me->threads, &from, &to))
        for (int64_t block = from; block < to; block++)
            for (int64_t row = 0; row < rows; row += ROW_TILE) {
                __m512 gate[ROW_TILE], up[ROW_TILE];
                int64_t count = tile(rows, row);
                multiply_tile(map, block, x, row, count, gate);
                if (shape->gated) multiply_tile(map, blocks + block, x, row, count, up);
                for (int64_t r = 0; r < count; r++)
                    _mm512_storeu_ps(out + (row + r) * width + block * BLOCK,
                                     shape->gated ? _mm512_mul_ps(silu(gate[r]), up[r])
                                                  : _mm512_max_ps(gate[r], _mm512_setzero_ps()));
            }
}

// hidden += mlp(hidden): the second half of a layer, and all of an exit's translator.
static void run_mlp(const Shape *shape, const Mlp *mlp, float *hidden, int64_t rows, Rounded x, float *inner,
                    Member *me) {
    const int64_t width = mlp->out.inputs;
    normalise_and_round(shape, hidden, mlp->norm, x, rows, me);
    multiply_and_activate(shape, &mlp->in, width, x, rows, inner, me);
    round_rows(inner, x, rows, width, me);
    multiply(&mlp->out, x, rows, hidden, 1, me);
}
