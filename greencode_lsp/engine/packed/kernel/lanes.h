// What the kernel is written in: 16 lanes of floats, in as many parts as the processor needs for them. Each processor's
// file says what it can do with a part; sums and largest values over 16 lanes are found in the same order by all.
#pragma once

#include <math.h>
#include <stdint.h>

#include "types.h"

typedef int32_t __attribute__((may_alias)) Four;  // 4 codes, read from memory into all lanes at once

#if defined __AVX512VNNI__
#include "lanes_avx512.h"
#elif defined __AVX2__
#include "lanes_avx2.h"
#elif defined __ARM_FEATURE_DOTPROD
#include "lanes_neon.h"
#else
#error "the kernel needs AVX-512 VNNI, AVX2, or NEON with dot products"
#endif

#define PARTS (BLOCK / LANES)

// How many rows, of those from `row` on, are computed at once.
static inline int64_t tile(int64_t rows, int64_t row) { return rows - row < ROW_TILE ? rows - row : ROW_TILE; }

// The mask of the first `count` of 16 lanes.
static inline uint32_t first_lanes(int64_t count) {
    return count >= BLOCK ? 0xffff : count > 0 ? (1u << count) - 1 : 0;
}

// A part of a mask of 16 lanes.
static inline uint32_t lanes_of(uint32_t mask, int part) { return mask >> part * LANES & (uint32_t)((1ull << LANES) - 1); }

static inline Part exponential(Part x) {  // within 2 units in the last place for x <= 0; NaN stays NaN
    x = larger_of(all(-87.0f), x);
    Part whole = nearest(times(x, all(1.44269504f)));
    Part rest = minus_times(x, whole, all(0.693359375f));
    rest = minus_times(rest, whole, all(-2.12194440e-4f));
    Part y = all(1.9875691500e-4f);
    y = times_plus(y, rest, all(1.3981999507e-3f));
    y = times_plus(y, rest, all(8.3334519073e-3f));
    y = times_plus(y, rest, all(4.1665795894e-2f));
    y = times_plus(y, rest, all(1.6666665459e-1f));
    y = times_plus(y, rest, all(5.0000001201e-1f));
    y = times_plus(y, times(rest, rest), add(rest, all(1.0f)));
    return times_power(y, whole);
}

static inline Part silu(Part x) {
    Part decay = exponential(subtract(zeros(), absolute(x)));  // e^-|x|
    Part above = over(x, add(all(1.0f), decay));
    return choose(are_negative(x), times(above, decay), above);
}
