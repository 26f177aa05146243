// Runs the kernel on drawn weights and states and prints all it computes: what every processor's lanes must agree on.
#include <stdio.h>
#include <stdlib.h>

#include "kernel.c"

#define HIDDEN 96
#define INNER 160
#define VOCABULARY 203
#define ROWS 21
#define LATER 5
#define CAPACITY 64

static uint32_t state = 1;

static uint32_t draw(void) { return (state = state * 1664525u + 1013904223u) >> 8; }

static float number(float size) { return ((float)draw() / (1 << 23) - 1) * size; }

static float *numbers(int64_t count, float size, float offset) {
    float *drawn = aligned_alloc(64, (count * sizeof(float) + 63) & ~63);
    for (int64_t i = 0; i < count; i++) drawn[i] = number(size) + offset;
    return drawn;
}

static uint16_t *halves(int64_t count, uint16_t sign) {  // from 2^-9 to 2^-8
    uint16_t *drawn = malloc(count * sizeof(uint16_t));
    for (int64_t i = 0; i < count; i++) drawn[i] = sign | 0x1800 | (draw() & 0x3ff);
    return drawn;
}

static Linear linear(int64_t outputs, int64_t inputs, int64_t bits, int biased) {
    const int64_t padded = (outputs + BLOCK - 1) / BLOCK * BLOCK, groups = padded / BLOCK * (inputs / GROUP);
    uint8_t *codes = aligned_alloc(64, groups * 64 * bits);
    for (int64_t i = 0; i < groups * 64 * bits; i++) codes[i] = bits == 4 ? draw() : 1 + draw() % 255;
    uint16_t *scales = halves(groups * (bits == 4 ? 32 : 16), 0);
    if (bits == 4)
        for (int64_t i = 0; i < groups * 16; i++) scales[i / 16 * 32 + 16 + i % 16] |= 0x8c00;  // minima, about -8 scales
    return (Linear){padded, inputs, bits, codes, scales, biased ? numbers(padded, 0.1f, 0) : 0};
}

static Norm norm(int biased) {
    return (Norm){numbers(HIDDEN, 0.2f, 1), biased ? numbers(HIDDEN, 0.1f, 0) : 0};
}

static Mlp mlp(int gated, int biased) {
    return (Mlp){norm(biased), linear(INNER * (gated ? 2 : 1), HIDDEN, 4, biased), linear(HIDDEN, INNER, 4, biased)};
}

static void show(const char *name, const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) printf("%s %a\n", name, values[i]);
}

static void run(int gated, int threads) {
    const int biased = !gated, head_size = 16, kv_heads = gated ? 2 : 6;
    Shape shape = {HIDDEN, 6, kv_heads, head_size, INNER, gated, biased, 1e-5f, 0, 0, CAPACITY};
    if (gated) shape.cos = numbers(CAPACITY * head_size / 2, 1, 0), shape.sin = numbers(CAPACITY * head_size / 2, 1, 0);
    Layer layers[2];
    for (int i = 0; i < 2; i++)
        layers[i] = (Layer){norm(biased), linear(HIDDEN + 2 * kv_heads * head_size, HIDDEN, i ? 8 : 4, biased),
                            linear(HIDDEN, HIDDEN, 4, biased), mlp(gated, biased)};
    const int64_t cached = 2 * kv_heads * CAPACITY * head_size;
    uint16_t *keys = calloc(cached, 2), *values = calloc(cached, 2);
    uint8_t *room = aligned_alloc(64, 1 << 22);
    float *hidden = numbers(ROWS * HIDDEN, 1, 0), *later = numbers(LATER * HIDDEN, 1, 0);
    printf("finite %d\n", run_layers(&shape, layers, 2, hidden, ROWS, 0, ROWS, keys, values, CAPACITY, room, threads));
    show("first", hidden, ROWS * HIDDEN);
    printf("finite %d\n",
           run_layers(&shape, layers, 2, later, LATER, ROWS, LATER, keys, values, CAPACITY, room, threads));
    show("later", later, LATER * HIDDEN);

    Mlp translator = mlp(gated, biased);
    Linear head = linear(VOCABULARY, HIDDEN, 8, biased), screen = linear(VOCABULARY, HIDDEN, 4, biased);
    Reader reader = {&shape, &translator, norm(biased), &head, &screen, VOCABULARY, 4};
    float logits[LATER * 208], probabilities[LATER], translated[LATER * HIDDEN];
    int64_t ids[LATER];
    memcpy(translated, later, sizeof translated);
    run_reader(&reader, translated, LATER, logits, 0, 0, room, threads);
    show("logit", logits, LATER * head.outputs);
    run_reader(&reader, later, LATER, 0, ids, probabilities, room, threads);
    for (int i = 0; i < LATER; i++) printf("id %d\n", (int)ids[i]);
    show("probability", probabilities, LATER);

    later[7] = NAN;
    printf("finite %d\n",
           run_layers(&shape, layers, 2, later, LATER, ROWS, LATER, keys, values, CAPACITY, room, threads));
    run_reader(&reader, later, LATER, 0, ids, probabilities, room, threads);
    printf("id %d\n", (int)ids[0]);
}

int main(int count, char **given) {
    if (!supported()) return 3;
    const int threads = count > 1 ? atoi(given[1]) : 1;
    run(1, threads);
    run(0, threads);
    uint16_t *weights[3] = {halves(64 * HIDDEN, 0), halves(64 * 64, 0x8000), halves(2 * 64, 0)};
    float *biases = numbers(64, 0.1f, 0), *seen = numbers(HIDDEN, 3, 0), room[128], scores[2];
    Policy policy = {HIDDEN, 64, 64, 1, 1e-6f, weights[0], weights[1], weights[2], biases, biases, biases};
    score_policy(&policy, seen, room, scores);
    show("score", scores, 2);
    return 0;
}
