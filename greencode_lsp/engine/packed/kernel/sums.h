// Sums of a block of 16 outputs.
#pragma once

#include "lanes.h"

typedef struct {
    Part part[PARTS];
} Sums;

// Adds what a group brings: products of its codes, and the smallest weight times the sum of its inputs.
static inline Part add_group(Part found, Part products, Part scale, Part minimum, Rounded x, int64_t at) {
    found = times_plus(times(scale, all(x.scales[at])), products, found);
    return times_plus(minimum, all(x.sums[at]), found);
}

// Asks for a group's weights of the block of outputs behind this one: few rows are done before the processor sees for
// itself what they need next. `bytes` of codes and `halves` of scales are a group's.
static inline __attribute__((always_inline)) void fetch_next_block(const uint8_t *codes, const uint16_t *scales,
                                                                   int64_t groups, const int bytes,
                                                                   const int halves) {
    for (int i = 0; i < bytes; i += 64) __builtin_prefetch(codes + groups * bytes + i);
    __builtin_prefetch(scales + groups * halves);
}

static inline Part with_bias(const Linear *map, int64_t block, int part, Part found) {
    return map->bias ? add(found, load(map->bias + block * BLOCK + part * LANES)) : found;
}
