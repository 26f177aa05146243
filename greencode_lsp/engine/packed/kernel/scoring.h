// A policy's network of one exit: two small layers of tanh, from one hidden state to two scores; and from the first of
// them and how sure the exit is of its token to one score more. Runs on the calling thread: it takes less time than
// waking another.
#pragma once

#include "lanes.h"

typedef struct {
    int64_t inputs, width, second;
    int64_t scaled;  // whether the state is divided by the root of its mean square first
    float smallest_square;
    const uint16_t *in_weight, *mid_weight, *out_weight;  // half floats, [width, inputs], [second, width], [2, second]
    const float *in_bias, *mid_bias, *out_bias;
    int64_t third;  // 0 for a policy that confirms nothing
    const uint16_t *confirm_mid_weight, *confirm_out_weight;  // [third, width + 1], [third + 1]
    const float *confirm_mid_bias, *confirm_out_bias;
} Policy;

#define AT_ONCE 4  // rows of weights: one row's sums wait for each other, those of four go on side by side

// Products of `count` (known when inlined) neighbouring rows of weights [count, size] with x.
static inline __attribute__((always_inline)) void dot_rows(const uint16_t *weight, const int count, const float *x,
                                                           int64_t size, float *out) {
    Part sums[AT_ONCE][PARTS];
#pragma GCC unroll 4
    for (int r = 0; r < count; r++)
        for (int p = 0; p < PARTS; p++) sums[r][p] = zeros();
    int64_t i = 0;
    for (; i + BLOCK <= size; i += BLOCK)
        for (int p = 0; p < PARTS; p++) {
            const Part part = load(x + i + p * LANES);
#pragma GCC unroll 4
            for (int r = 0; r < count; r++)
                sums[r][p] = times_plus(load_half(weight + r * size + i + p * LANES), part, sums[r][p]);
        }
    for (int r = 0; r < count; r++) {
        float rest = 0;
        for (int64_t j = i; j < size; j++) rest = fmaf(half(weight[r * size + j]), x[j], rest);
        out[r] = sum_of(sums[r]) + rest;
    }
}

// out = weight x, for weight [rows, size].
static inline void apply_halves(const uint16_t *weight, int64_t rows, const float *x, int64_t size, float *out) {
    int64_t row = 0;
    for (; row + AT_ONCE <= rows; row += AT_ONCE) dot_rows(weight + row * size, AT_ONCE, x, size, out + row);
    for (; row < rows; row++) dot_rows(weight + row * size, 1, x, size, out + row);
}

static inline float sum_of_squares(const float *x, int64_t size) {
    Part sums[PARTS];
    for (int p = 0; p < PARTS; p++) sums[p] = zeros();
    int64_t i = 0;
    for (; i + BLOCK <= size; i += BLOCK)
        for (int p = 0; p < PARTS; p++) {
            const Part part = load(x + i + p * LANES);
            sums[p] = times_plus(part, part, sums[p]);
        }
    float rest = 0;
    for (; i < size; i++) rest = fmaf(x[i], x[i], rest);
    return sum_of(sums) + rest;
}

// x = tanh(x * scale + bias), which is (1 - e) / (1 + e) with the sign of its argument, for e = exp(-2 |argument|).
static inline void squash(float *x, float scale, const float *bias, int64_t size) {
    int64_t i = 0;
    for (; i + BLOCK <= size; i += BLOCK)
        for (int p = 0; p < PARTS; p++) {
            float *place = x + i + p * LANES;
            const Part inner = times_plus(load(place), all(scale), load(bias + i + p * LANES));
            const Part decay = exponential(times(absolute(inner), all(-2.0f)));
            const Part tangent = over(subtract(all(1.0f), decay), add(all(1.0f), decay));
            store(place, choose(are_negative(inner), subtract(zeros(), tangent), tangent));
        }
    for (; i < size; i++) x[i] = tanhf(fmaf(x[i], scale, bias[i]));
}

static inline void first_layer(const Policy *policy, const float *state, float *first) {
    float scale = 1;
    if (policy->scaled)
        scale = 1 / sqrtf(sum_of_squares(state, policy->inputs) / policy->inputs + policy->smallest_square);
    apply_halves(policy->in_weight, policy->width, state, policy->inputs, first);
    squash(first, scale, policy->in_bias, policy->width);
}

static inline void score_state(const Policy *policy, const float *state, float *first, float *second, float *scores) {
    first_layer(policy, state, first);
    apply_halves(policy->mid_weight, policy->second, first, policy->width, second);
    squash(second, 1, policy->mid_bias, policy->second);
    apply_halves(policy->out_weight, 2, second, policy->second, scores);
    for (int64_t i = 0; i < 2; i++) scores[i] += policy->out_bias[i];
}

// `sure` is the log odds of the token that was read. `first` has place for [width + 1] numbers, `third` for [third + 1].
static inline float confirm_state(const Policy *policy, const float *state, float sure, float *first, float *third) {
    first_layer(policy, state, first);
    first[policy->width] = sure;
    apply_halves(policy->confirm_mid_weight, policy->third, first, policy->width + 1, third);
    squash(third, 1, policy->confirm_mid_bias, policy->third);
    third[policy->third] = sure;
    float score;
    apply_halves(policy->confirm_out_weight, 1, third, policy->third + 1, &score);
    return score + policy->confirm_out_bias[0];
}
