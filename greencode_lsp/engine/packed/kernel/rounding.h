// Activations: norms, and rounding to 8 bits per group of 32.
#pragma once

#include "lanes.h"
#include "team.h"

static inline void round_group(const float *values, Rounded rounded, int64_t item) {
    Part size[PARTS];
    uint32_t wrong = 0;
    for (int p = 0; p < PARTS; p++) {
        Part low = load(values + p * LANES), high = load(values + BLOCK + p * LANES);
        wrong |= are_not_finite(low) | are_not_finite(high);
        size[p] = larger_of(absolute(low), absolute(high));
    }
    float largest = wrong ? NAN : largest_of(size);  // what is no number must not be rounded away
    float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    int32_t total = 0;
    for (int64_t i = 0; i < GROUP; i += LANES)
        total += round_part(times(load(values + i), all(inverse)), rounded.codes + item * GROUP + i);
    rounded.scales[item] = largest / 127.0f;
    rounded.sums[item] = rounded.scales[item] * (float)total;
    rounded.totals[item] = total;
}

static void round_rows(const float *values, Rounded rounded, int64_t rows, int64_t inputs, Member *me) {
    int64_t from, to;
    while (next_share(me, rows * (inputs / GROUP), me->threads, &from, &to))
        for (int64_t item = from; item < to; item++) round_group(values + item * GROUP, rounded, item);
}

// What a norm subtracts from a row and multiplies it by.
static inline void find_statistics(const Shape *shape, const float *row, float *mean, float *factor) {
    const int64_t size = shape->hidden;
    Part total[PARTS], squares[PARTS];
    for (int p = 0; p < PARTS; p++) total[p] = squares[p] = zeros();
    for (int64_t i = 0; i < size; i += BLOCK)
        for (int p = 0; p < PARTS; p++) {
            Part value = load(row + i + p * LANES);
            total[p] = add(total[p], value);
            squares[p] = times_plus(value, value, squares[p]);
        }
    *mean = shape->layer_norm ? sum_of(total) / size : 0.0f;
    if (shape->layer_norm) {
        for (int p = 0; p < PARTS; p++) squares[p] = zeros();
        for (int64_t i = 0; i < size; i += BLOCK)
            for (int p = 0; p < PARTS; p++) {
                Part value = subtract(load(row + i + p * LANES), all(*mean));
                squares[p] = times_plus(value, value, squares[p]);
            }
    }
    *factor = 1.0f / sqrtf(sum_of(squares) / size + shape->epsilon);
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
                const float scaled = (row[first + i] - mean) * factor, weight = norm.weight[first + i];
                normal[i] = norm.bias ? fmaf(scaled, weight, norm.bias[first + i]) : scaled * weight;
            }
            round_group(normal, rounded, item);
        }
    }
}
