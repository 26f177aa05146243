// Sums of a block of 16 outputs, as many lanes at once as the processor has.
#pragma once

#include "sums.h"

typedef struct {  // a group's weights for the lanes' outputs
    Codes codes;
    Part scale, minimum;
} Weights;

static inline __attribute__((always_inline)) Weights load_weights(const int four, const uint8_t *codes,
                                                                  const uint16_t *scales) {
    const Part scale = load_half(scales);
#ifndef FEW_REGISTERS
    if (four) return (Weights){unpack_four_bits(codes), scale, load_half(scales + BLOCK)};
#endif
    return (Weights){load_eight_bits(codes), scale, times(scale, all(-128.0f))};
}

static inline __attribute__((always_inline)) Part dot_codes(const int four, const Codes *weights, const Four *inputs,
                                                            int32_t total) {
#ifndef FEW_REGISTERS
    if (four) return dot_four_bits(weights, inputs);
#endif
    return dot_eight_bits(weights, inputs, total);
}

// Sums for `rows` (at most ROW_TILE) rows. How many, and whether weights have `four` bits, is known when inlined.
static inline __attribute__((always_inline)) void multiply_parts(const Linear *map, const int four, int64_t block,
                                                                 Rounded x, int64_t row, const int rows, Sums *sums) {
    const int64_t groups = map->inputs / GROUP, bytes = four ? 256 : 512, halves = four ? 32 : 16;
    for (int part = 0; part < PARTS; part++) {
        const uint8_t *codes = map->codes + block * groups * bytes + part * 4 * LANES;
        const uint16_t *scales = map->scales + block * groups * halves + part * LANES;
        Part found[ROW_TILE];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) found[r] = zeros();
        for (int64_t group = 0; group < groups; group++) {
            if (!row && !part) fetch_next_block(codes, scales, groups, bytes, halves);
            const Weights weights = load_weights(four, codes, scales);
            codes += bytes;
            scales += halves;
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                const int64_t at = (row + r) * groups + group;
                Part products = dot_codes(four, &weights.codes, (const Four *)(x.codes + at * GROUP), x.totals[at]);
                found[r] = add_group(found[r], products, weights.scale, weights.minimum, x, at);
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sums[r].part[part] = with_bias(map, block, part, found[r]);
    }
}
