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

static inline Part with_bias(const Linear *map, int64_t block, int part, Part found) {
    return map->bias ? add(found, load(map->bias + block * BLOCK + part * LANES)) : found;
}
