// Linear maps on packed weights, with the activations of an MLP.
#pragma once

#include <string.h>

#include "rounding.h"

typedef struct {  // of a block's 16 outputs
    Part part[PARTS];
} Sums;

// In how many shares a step is done. Of long ones the last to come home would be waited for, short ones are soon over.
static inline int64_t shares_of(const Member *me, int64_t rows) { return me->threads * (rows > ROW_TILE ? 12 : 2); }

// How a block's groups lie in memory.
static inline __attribute__((always_inline)) int64_t group_codes(const int four) { return four ? 256 : 512; }
static inline __attribute__((always_inline)) int64_t group_scales(const int four) { return four ? 32 : 16; }

typedef struct {  // a group's weights for some lanes of a block
    Codes codes;
    Part scale, minimum;
} Weights;

static inline __attribute__((always_inline)) Weights load_weights(const int four, const uint8_t *codes,
                                                                  const uint16_t *scales) {
    Weights weights = {.codes = four ? unpack_four_bits(codes) : load_eight_bits(codes), .scale = load_half(scales)};
    weights.minimum = four ? load_half(scales + BLOCK) : times(weights.scale, all(-128.0f));
    return weights;
}

// Adds what a group (number `at` of all rows' groups) brings.
static inline __attribute__((always_inline)) Part add_group(Part sum, const int four, const Weights *weights, Rounded x,
                                                            int64_t at) {
    const Four *inputs = (const Four *)(x.codes + at * GROUP);
    Part product = four ? dot_four_bits(&weights->codes, inputs)
                        : dot_eight_bits(&weights->codes, inputs, x.totals[at]);
    sum = times_plus(times(weights->scale, all(x.scales[at])), product, sum);
    return times_plus(weights->minimum, all(x.sums[at]), sum);
}

// Sums of a block of 16 outputs for one row. Whether weights have `four` bits is known when this is inlined.
static inline __attribute__((always_inline)) void multiply_row(const Linear *map, const int four, int64_t block,
                                                               Rounded x, int64_t row, Sums *sums) {
    const int64_t groups = map->inputs / GROUP;
    const uint8_t *codes = map->codes + block * groups * group_codes(four);
    const uint16_t *scales = map->scales + block * groups * group_scales(four);
    Part found[PARTS];
    for (int part = 0; part < PARTS; part++) found[part] = zeros();
    for (int64_t group = 0; group < groups; group++) {
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++) {
            const Weights weights = load_weights(four, codes + part * 4 * LANES, scales + part * LANES);
            found[part] = add_group(found[part], four, &weights, x, row * groups + group);
        }
        codes += group_codes(four);
        scales += group_scales(four);
    }
    const float *bias = map->bias ? map->bias + block * BLOCK : 0;
    for (int part = 0; part < PARTS; part++)
        sums->part[part] = bias ? add(found[part], load(bias + part * LANES)) : found[part];
}

// Sums of some lanes of a block for `rows` (at most ROW_TILE) rows, also known when inlined. All lanes at once would
// need more registers than there are, so a block is passed over once per part, and the next one is asked for meanwhile:
// else memory would rest in all passes but the first.
static inline __attribute__((always_inline)) void multiply_part(const Linear *map, const int four, int64_t block,
                                                                int part, Rounded x, int64_t row, const int rows,
                                                                Sums *sums) {
    const int64_t groups = map->inputs / GROUP;
    const uint8_t *codes = map->codes + block * groups * group_codes(four) + part * 4 * LANES;
    const uint16_t *scales = map->scales + block * groups * group_scales(four) + part * LANES;
    const uint8_t *next = map->codes + ((block + 1) * groups + part * groups / PARTS) * group_codes(four);
    Part found[ROW_TILE];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) found[r] = zeros();
    for (int64_t group = 0; group < groups; group++) {
        const Weights weights = load_weights(four, codes, scales);
        if (PARTS > 1 && !row) {
            for (int i = 0; i < group_codes(four) / PARTS; i += 64) __builtin_prefetch(next + i);
            next += group_codes(four) / PARTS;
            if (!part) __builtin_prefetch(scales + groups * group_scales(four));
        }
        codes += group_codes(four);
        scales += group_scales(four);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            found[r] = add_group(found[r], four, &weights, x, (row + r) * groups + group);
    }
    const float *bias = map->bias ? map->bias + block * BLOCK + part * LANES : 0;
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) sums[r].part[part] = bias ? add(found[r], load(bias)) : found[r];
}

static inline __attribute__((always_inline)) void multiply_block(const Linear *map, int64_t block, Rounded x,
                                                                 int64_t row, const int rows, Sums *sums) {
    if (rows == 1) {
        if (map->bits == 4) multiply_row(map, 1, block, x, row, sums);
        else multiply_row(map, 0, block, x, row, sums);
        return;
    }
    for (int part = 0; part < PARTS; part++)
        if (map->bits == 4) multiply_part(map, 1, block, part, x, row, rows, sums);
        else multiply_part(map, 0, block, part, x, row, rows, sums);
}

static void multiply_tile(const Linear *map, int64_t block, Rounded x, int64_t row, int64_t rows, Sums *sums) {
    switch (rows) {
        case 1: multiply_block(map, block, x, row, 1, sums); break;
        case 2: multiply_block(map, block, x, row, 2, sums); break;
        case 3: multiply_block(map, block, x, row, 3, sums); break;
        case 4: multiply_block(map, block, x, row, 4, sums); break;
        case 5: multiply_block(map, block, x, row, 5, sums); break;
#if ROW_TILE > 6
        case 6: multiply_block(map, block, x, row, 6, sums); break;
        case 7: multiply_block(map, block, x, row, 7, sums); break;
#endif
        default: multiply_block(map, block, x, row, ROW_TILE, sums); break;
    }
}

// out[row, :] = map(x[row]), or out += map(x).
static void multiply(const Linear *map, Rounded x, int64_t rows, float *out, int onto, Member *me) {
    int64_t from, to;
    while (next_share(me, map->outputs / BLOCK, shares_of(me, rows), &from, &to))
        for (int64_t block = from; block < to; block++)
            for (int64_t row = 0; row < rows; row += ROW_TILE) {
                Sums sums[ROW_TILE];
                int64_t count = tile(rows, row);
                multiply_tile(map, block, x, row, count, sums);
                for (int64_t r = 0; r < count; r++)
                    for (int p = 0; p < PARTS; p++) {
                        float *place = out + (row + r) * map->outputs + block * BLOCK + p * LANES;
                        store(place, onto ? add(load(place), sums[r].part[p]) : sums[r].part[p]);
                    }
            }
}

// out = activation(mlp_in(x)), `width` wide: silu(gate) * up for gated models, relu otherwise.
static void multiply_and_activate(const Shape *shape, const Linear *map, int64_t width, Rounded x, int64_t rows,
                                  float *out, Member *me) {
    const int64_t blocks = width / BLOCK;
    int64_t from, to;
    while (next_share(me, blocks, shares_of(me, rows), &from, &to))
        for (int64_t block = from; block < to; block++)
            for (int64_t row = 0; row < rows; row += ROW_TILE) {
                Sums gate[ROW_TILE], up[ROW_TILE];
                int64_t count = tile(rows, row);
                multiply_tile(map, block, x, row, count, gate);
                if (shape->gated) multiply_tile(map, blocks + block, x, row, count, up);
                for (int64_t r = 0; r < count; r++)
                    for (int p = 0; p < PARTS; p++) {
                        Part opened = shape->gated ? times(silu(gate[r].part[p]), up[r].part[p])
                                                   : larger_of(gate[r].part[p], zeros());
                        store(out + (row + r) * width + block * BLOCK + p * LANES, opened);
                    }
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
