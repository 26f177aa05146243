// Weights of 8 bits: sums of a block of 16 outputs.
#pragma once

#include "sums.h"

// Sums of some lanes of a block for `rows` (at most ROW_TILE) rows; how many is known when this is inlined.
static inline __attribute__((always_inline)) void multiply_eight_bits_part(const Linear *map, int64_t block, int part,
                                                                           Rounded x, int64_t row, const int rows,
                                                                           Sums *sums) {
    const int64_t groups = map->inputs / GROUP;
    const uint8_t *codes = map->codes + block * groups * 512 + part * 4 * LANES;
    const uint16_t *scales = map->scales + block * groups * 16 + part * LANES;
    Part found[ROW_TILE];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) found[r] = zeros();
    for (int64_t group = 0; group < groups; group++) {
        const Codes weights = load_eight_bits(codes);
        const Part scale = load_half(scales), minimum = times(scale, all(-128.0f));
        codes += 512;
        scales += 16;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            const int64_t at = (row + r) * groups + group;
            Part products = dot_eight_bits(&weights, (const Four *)(x.codes + at * GROUP), x.totals[at]);
            found[r] = add_group(found[r], products, scale, minimum, x, at);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) sums[r].part[part] = with_bias(map, block, part, found[r]);
}

static inline __attribute__((always_inline)) void multiply_eight_bits(const Linear *map, int64_t block, Rounded x,
                                                                      int64_t row, const int rows, Sums *sums) {
    for (int part = 0; part < PARTS; part++) multiply_eight_bits_part(map, block, part, x, row, rows, sums);
}
