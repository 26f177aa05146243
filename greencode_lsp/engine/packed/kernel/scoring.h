// A policy's network of one exit: two small layers of tanh, from one hidden state to two scores. Runs on the calling
// thread: it takes less time than waking another.
#pragma once

#include "lanes.h"

typedef struct {
    int64_t inputs, width, second;
    int64_t scaled;  // whether the state is divided by the root of its mean square first
    float smallest_square;
    const uint16_t *in_weight, *mid_weight, *out_weight;  // half floats, [width, inputs], [second, width], [2, second]
    const float *in_bias, *mid_bias, *out_bias;
} Policy;

static inline float dot_half(const uint16_t *weight, const float *x, int64_t count) {
    Part sums[PARTS];
    for (int p = 0; p < PARTS; p++) sums[p] = zeros();
    int64_t i = 0;
    for (; i + BLOCK <= count; i += BLOCK)
        for (int p = 0; p < PARTS; p++)
            sums[p] = times_plus(load_half(weight + i + p * LANES), load(x + i + p * LANES), sums[p]);
    float rest = 0;
    for (; i < count; i++) rest = fmaf(half(weight[i]), x[i], rest);
    return sum_of(sums) + rest;
}

static inline void score_state(const Policy *policy, const float *state, float *first, float *second, float *scores) {
    float scale = 1;
    if (policy->scaled) {
        float square = 0;
        for (int64_t i = 0; i < policy->inputs; i++) square = fmaf(state[i], state[i], square);
        scale = 1 / sqrtf(square / policy->inputs + policy->smallest_square);
    }
    for (int64_t i = 0; i < policy->width; i++)
        first[i] = tanhf(fmaf(dot_half(policy->in_weight + i * policy->inputs, state, policy->inputs), scale,
                              policy->in_bias[i]));
    for (int64_t i = 0; i < policy->second; i++)
        second[i] = tanhf(dot_half(policy->mid_weight + i * policy->width, first, policy->width) + policy->mid_bias[i]);
    for (int64_t i = 0; i < 2; i++)
        scores[i] = dot_half(policy->out_weight + i * policy->second, second, policy->second) + policy->out_bias[i];
}
