// Attention over keys and values in half floats.
#pragma once

#include "linear.h"

#define BLOCKS_AHEAD 4

// Rotates a head in place, halves against each other.
static inline void rotate(float *head, const float *cos, const float *sin, int64_t half) {
    for (int64_t i = 0; i < half; i++) {
        float first = head[i], second = head[half + i];
        head[i] = fmaf(first, cos[i], -(second * sin[i]));
        head[half + i] = fmaf(second, cos[i], first * sin[i]);
    }
}

// Where a position's number `i` lies in a head's keys: 16 positions side by side, so that one load serves 16 scores.
static inline int64_t key_place(int64_t position, int64_t i, int64_t size) {
    return (position / BLOCK * size + i) * BLOCK + position % BLOCK;
}

// Rotates queries and keys, and writes keys and values as half floats.
static void rotate_and_store(const Shape *shape, float *qkv, int64_t rows, int64_t start, uint16_t *keys,
                             uint16_t *values, int64_t capacity, Member *me) {
    const int64_t size = shape->head_size, heads = shape->heads + 2 * shape->kv_heads;
    const int64_t turned = shape->heads + shape->kv_heads;
    int64_t from, to;
    while (next_share(me, rows * heads, me->threads, &from, &to))
        for (int64_t item = from; item < to; item++) {
            int64_t position = start + item / heads, head = item % heads, table = position * (size / 2);
            float *vector = qkv + item * size;
            if (shape->cos && head < turned) rotate(vector, shape->cos + table, shape->sin + table, size / 2);
            if (head < shape->heads) continue;
            for (int64_t i = 0; i < size; i += LANES) {
                uint16_t halves[LANES];
                store_half(halves, load(vector + i));
                if (head < turned) {
                    uint16_t *place = keys + (head - shape->heads) * capacity * size;
                    for (int64_t j = 0; j < LANES; j++) place[key_place(position, i + j, size)] = halves[j];
                } else {
                    memcpy(values + ((head - turned) * capacity + position) * size + i, halves, sizeof halves);
                }
            }
        }
}

typedef struct {  // queries that share a head's keys and values
    const float *query[ROW_TILE];
    float *out[ROW_TILE];
    int64_t length[ROW_TILE];  // positions to attend to; the last is the largest
    float *scores;             // [ROW_TILE, stride]
    int64_t stride;
} Queries;

// Asks for 16 positions of keys or values: they are read in runs too short for the processor to see them coming.
static inline void fetch_ahead(const uint16_t *at, int64_t size) {
    for (int64_t i = 0; i < BLOCK * size; i += 32) __builtin_prefetch(at + i);
}

// Scores of `count` (known when inlined) queries against the keys of a head.
static inline __attribute__((always_inline)) void score(const Queries *tile, const int count, int64_t size,
                                                        const uint16_t *keys, const uint16_t *values) {
    float queries[ROW_TILE][LARGEST_HEAD];
    const float scale = 1.0f / sqrtf((float)size);
    for (int q = 0; q < count; q++)
        for (int64_t i = 0; i < size; i++) queries[q][i] = tile->query[q][i] * scale;
    for (int64_t position = 0; position < tile->length[count - 1]; position += BLOCK, keys += BLOCK * size) {
        fetch_ahead(keys + BLOCKS_AHEAD * BLOCK * size, size);
        fetch_ahead(values + position * size, size);
        for (int p = 0; p < PARTS; p++) {
            Part even[ROW_TILE], odd[ROW_TILE];
#pragma GCC unroll 8
            for (int q = 0; q < count; q++) even[q] = odd[q] = zeros();
            for (int64_t i = 0; i < size; i += 2) {
                Part key = load_half(keys + i * BLOCK + p * LANES), next = load_half(keys + (i + 1) * BLOCK + p * LANES);
#pragma GCC unroll 8
                for (int q = 0; q < count; q++) {
                    even[q] = times_plus(all(queries[q][i]), key, even[q]);
                    odd[q] = times_plus(all(queries[q][i + 1]), next, odd[q]);
                }
            }
#pragma GCC unroll 8
            for (int q = 0; q < count; q++)
                store(tile->scores + q * tile->stride + position + p * LANES, add(even[q], odd[q]));
        }
    }
}

// Turns a query's scores into weights, 0 beyond its length; returns one over their sum.
static inline float soften(float *scores, int64_t length, int64_t end) {
    Part largest[PARTS], total[PARTS];
    for (int p = 0; p < PARTS; p++) largest[p] = all(-INFINITY), total[p] = zeros();
    for (int64_t position = 0; position < length; position += BLOCK)
        for (int p = 0; p < PARTS; p++) {
            Part score = load(scores + position + p * LANES);
            uint32_t valid = lanes_of(first_lanes(length - position), p);
            largest[p] = choose(valid, larger_of(largest[p], score), largest[p]);
        }
    const Part top = all(largest_of(largest));
    for (int64_t position = 0; position < end; position += BLOCK)
        for (int p = 0; p < PARTS; p++) {
            float *place = scores + position + p * LANES;
            uint32_t valid = lanes_of(first_lanes(length - position), p);
            Part weight = choose(valid, exponential(subtract(load(place), top)), zeros());
            total[p] = add(total[p], weight);
            store(place, weight);
        }
    return 1.0f / sum_of(total);
}

// Weighted sums of `parts` (1 or 2) parts of a head's values from number `first` on.
static inline __attribute__((always_inline)) void weigh(const Queries *tile, const int count, const int parts,
                                                        int64_t size, const uint16_t *values, int64_t first,
                                                        const float *inverse) {
    Part sums[ROW_TILE][2];
#pragma GCC unroll 8
    for (int q = 0; q < count; q++) sums[q][0] = sums[q][1] = zeros();
    for (int64_t position = 0; position < tile->length[count - 1]; position++) {
        Part value[2];
#pragma GCC unroll 2
        for (int part = 0; part < parts; part++)
            value[part] = load_half(values + position * size + first + part * LANES);
#pragma GCC unroll 8
        for (int q = 0; q < count; q++) {  // query by query, so that one weight at a time takes a register
            const Part weight = all(tile->scores[q * tile->stride + position]);
#pragma GCC unroll 2
            for (int part = 0; part < parts; part++) sums[q][part] = times_plus(weight, value[part], sums[q][part]);
        }
    }
#pragma GCC unroll 8
    for (int q = 0; q < count; q++)
#pragma GCC unroll 2
        for (int part = 0; part < parts; part++)
            store(tile->out[q] + first + part * LANES, times(sums[q][part], all(inverse[q])));
}

static inline __attribute__((always_inline)) void attend_tile(const Queries *tile, const int count, int64_t size,
                                                              const uint16_t *keys, const uint16_t *values) {
    float inverse[ROW_TILE];
    score(tile, count, size, keys, values);
    for (int q = 0; q < count; q++)
        inverse[q] = soften(tile->scores + q * tile->stride, tile->length[q], tile->length[count - 1]);
    int64_t first = 0;
    for (; first + 2 * LANES <= size; first += 2 * LANES) weigh(tile, count, 2, size, values, first, inverse);
    if (first < size) weigh(tile, count, 1, size, values, first, inverse);
}

static void attend_some(const Queries *tile, int64_t count, int64_t size, const uint16_t *keys,
                        const uint16_t *values) {
    switch (count) {
        case 1: attend_tile(tile, 1, size, keys, values); break;
        case 2: attend_tile(tile, 2, size, keys, values); break;
        case 3: attend_tile(tile, 3, size, keys, values); break;
        case 4: attend_tile(tile, 4, size, keys, values); break;
        case 5: attend_tile(tile, 5, size, keys, values); break;
#if ROW_TILE > 6
        case 6: attend_tile(tile, 6, size, keys, values); break;
        case 7: attend_tile(tile, 7, size, keys, values); break;
#endif
        default: attend_tile(tile, ROW_TILE, size, keys, values); break;
    }
}

// What attention of all rows needs.
typedef struct {
    const Shape *shape;
    const float *qkv;  // [rows, heads + 2 * kv_heads, head_size]
    int64_t rows, start;
    const uint16_t *keys, *values;  // of one layer
    int64_t capacity;
    float *out;  // [rows, heads, head_size]
} Attention;

// Attends with up to ROW_TILE neighbouring ones of the queries that share a key/value head, which are numbered row by row.
static void attend_from(const Attention *a, int64_t kv, int64_t first, int64_t count, float *scores, int64_t stride) {
    const int64_t size = a->shape->head_size, heads = a->shape->heads, group = heads / a->shape->kv_heads;
    const int64_t width = heads + 2 * a->shape->kv_heads;
    Queries tile = {.scores = scores, .stride = stride};
    for (int64_t q = 0; q < count; q++) {
        const int64_t row = (first + q) / group, head = kv * group + (first + q) % group;
        tile.query[q] = a->qkv + (row * width + head) * size;
        tile.out[q] = a->out + (row * heads + head) * size;
        tile.length[q] = a->start + row + 1;
    }
    attend_some(&tile, count, size, a->keys + kv * a->capacity * size, a->values + kv * a->capacity * size);
}

// Shares out all queries: few of them evenly, many in small shares, for later rows attend to more.
static void attend(const Attention *a, float *scores, int64_t stride, Member *me) {
    const int64_t kv_heads = a->shape->kv_heads, sharing = a->rows * (a->shape->heads / kv_heads);
    const int64_t total = kv_heads * sharing, tiles = (total + ROW_TILE - 1) / ROW_TILE;
    int64_t from, to;
    while (next_share(me, total, tiles > me->threads ? tiles : me->threads, &from, &to))
        while (from < to) {
            int64_t count = tile(sharing, from % sharing);
            if (count > to - from) count = to - from;
            attend_from(a, from / sharing, from % sharing, count, scores, stride);
            from += count;
        }
}
