// Choosing a token: the best of many values.
#pragma once

#include "linear.h"
#include "types.h"

typedef struct {
    float value;
    int64_t index;
} Candidate;

static const Candidate NONE = {-INFINITY, INT64_MAX};

static inline int better(Candidate one, Candidate other) {  // larger; of equals the first
    return one.value > other.value || (one.value == other.value && one.index < other.index);
}

// The `count` best of some values: a heap whose root is the worst of those kept.
static void choose_best(const float *values, int64_t total, Candidate *kept, int64_t count) {
    for (int64_t i = 0; i < count; i++) kept[i] = NONE;
    for (int64_t index = 0; index < total; index++) {
        Candidate next = {values[index], index};
        if (!better(next, kept[0])) continue;
        int64_t place = 0;
        for (;;) {
            int64_t child = 2 * place + 1;
            if (child >= count) break;
            if (child + 1 < count && better(kept[child], kept[child + 1])) child++;
            if (!better(next, kept[child])) break;
            kept[place] = kept[child];
            place = child;
        }
        kept[place] = next;
    }
}

// The largest of 16 neighbouring outputs; padding beyond the vocabulary does not count.
static Candidate best_of_block(const Sums *sums, int64_t block, int64_t vocabulary) {
    const uint32_t valid = first_lanes(vocabulary - block * BLOCK);
    Part counted[PARTS];
    uint32_t equal = 0;
    for (int p = 0; p < PARTS; p++) counted[p] = choose(lanes_of(valid, p), sums->part[p], all(-INFINITY));
    float largest = largest_of(counted);
    for (int p = 0; p < PARTS; p++) equal |= are_equal(sums->part[p], all(largest)) << p * LANES;
    equal &= valid;
    return equal ? (Candidate){largest, block * BLOCK + __builtin_ctz(equal)} : NONE;
}

// Sum of exp(logit - largest) over 16 neighbouring outputs.
static inline float sum_of_block(const Sums *logits, int64_t block, int64_t vocabulary, float largest) {
    const uint32_t valid = first_lanes(vocabulary - block * BLOCK);
    Part counted[PARTS];
    for (int p = 0; p < PARTS; p++)
        counted[p] = choose(lanes_of(valid, p), exponential(subtract(logits->part[p], all(largest))), zeros());
    return sum_of(counted);
}

#define NEGLIGIBLE 20.0f  // a logit so far below the largest is left out of a sum: e^-20

// The probability of the largest logit of all, from what is known of every block.
static float largest_share(const float *largest, const float *sums, int64_t blocks) {
    float top = -INFINITY, total = 0;
    for (int64_t i = 0; i < blocks; i++) top = largest[i] > top ? largest[i] : top;
    for (int64_t i = 0; i < blocks; i++)
        if (largest[i] > top - NEGLIGIBLE) total = fmaf(sums[i], expf(largest[i] - top), total);
    return 1 / total;
}
