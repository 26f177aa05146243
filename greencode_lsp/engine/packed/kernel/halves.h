// Weights of 4 bits where registers are few: a group's weights for a block's 16 outputs are 512 numbers once they are
// unpacked, and fill all 16 registers of 32. Half of a group leaves room, and so each input is loaded once for all 16
// outputs; what the first half brings waits in memory for the second.
#pragma once

#include "sums.h"

// Sums of a block of 16 outputs for `rows` (at most ROW_TILE) rows; how many is known when this is inlined.
static inline __attribute__((always_inline)) void multiply_halves(const Linear *map, int64_t block, Rounded x,
                                                                  int64_t row, const int rows, Sums *sums) {
    const int64_t groups = map->inputs / GROUP;
    const uint8_t *codes = map->codes + block * groups * 256;
    const uint16_t *scales = map->scales + block * groups * 32;
    Part found[ROW_TILE][PARTS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int part = 0; part < PARTS; part++) found[r][part] = zeros();
    for (int64_t group = 0; group < groups; group++) {
        Products products[ROW_TILE][PARTS];
        if (!row) fetch_next_block(codes, scales, groups, 256, 32);
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            HalfCodes weights[PARTS];
#pragma GCC unroll 2
            for (int part = 0; part < PARTS; part++)
                weights[part] = unpack_half_of_four_bits(codes + half * 128 + part * 4 * LANES);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                const int64_t at = (row + r) * groups + group;
                const Four *inputs = (const Four *)(x.codes + at * GROUP) + half * 4;
#pragma GCC unroll 2
                for (int part = 0; part < PARTS; part++) {
                    Products *sum = &products[r][part];
                    *sum = half ? add_products(*sum, &weights[part], 0, inputs)
                                : first_products(&weights[part], inputs);
                }
#pragma GCC unroll 3
                for (int j = 1; j < 4; j++)
#pragma GCC unroll 2
                    for (int part = 0; part < PARTS; part++)
                        products[r][part] = add_products(products[r][part], &weights[part], j, inputs);
#pragma GCC unroll 2
                for (int part = 0; half && part < PARTS; part++) {
                    const Part scale = load_half(scales + part * LANES);
                    const Part minimum = load_half(scales + BLOCK + part * LANES);
                    found[r][part] = add_group(found[r][part], total_of(products[r][part]), scale, minimum, x, at);
                }
            }
        }
        codes += 256;
        scales += 32;
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int part = 0; part < PARTS; part++) sums[r].part[part] = with_bias(map, block, part, found[r][part]);
}
