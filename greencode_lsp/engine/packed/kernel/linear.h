// Linear maps on packed weights, with the activations of an MLP.
#pragma once

#include <string.h>

#include "parts.h"
#include "rounding.h"

#ifdef FEW_REGISTERS
#include "halves.h"
#endif

// In how many shares a step is done. Of long ones the last to come home would be waited for, short ones are soon over.
static inline int64_t shares_of(const Member *me, int64_t rows) { return me->threads * (rows > ROW_TILE ? 12 : 2); }

static inline __attribute__((always_inline)) void multiply_block(const Linear *map, int64_t block, Rounded x,
                                                                 int64_t row, const int rows, Sums *sums) {
#ifdef FEW_REGISTERS
    if (map->bits == 4) multiply_halves(map, block, x, row, rows, sums);
#else
    if (map->bits == 4) multiply_parts(map, 1, block, x, row, rows, sums);
#endif
    else multiply_parts(map, 0, block, x, row, rows, sums);
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
