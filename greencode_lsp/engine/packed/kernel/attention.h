// Attention over keys and values in half floats.
#pragma once

#include "linear.h"

#define BLOCKS_AHEAD 4

// Rotates a head in place, halves against each other.
static inline void rotate(float *head, const float *cos, const float *sin, int64_t half) {
    for (int64_t i = 0; i < half; i++) {
        float first = head[i], second = head[half + i];
        head[i] = first * cos[i] - second * sin[i];
        head[half + i] = second * cos[i] + first * sin[i];
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
            for (int64_t i = 0; i < size; i += 16) {
                uint16_t halves[16];
                _mm256_storeu_si256((__m256i *)halves, _mm512_cvtps_ph(_mm512_loadu_ps(vector + i), 0));
                if (head < turned) {
                    uint16_t *place = keys + (head - shape->heads) * capacity * size;
                    for (int64_t j = 0; j < 16; j++) place[key_place(position, i + j, size)] = halves[j];
                } else {
                    memcpy(values + ((head - turned) * capacity + position) * size + i, halves, sizeof halves);
                }
            }
        }
}

static inline __m512 half_floats(const uint16_t *at) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)at));
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
    for (int64_t i = 0; i < BLOCK * size; i += 32) _mm_prefetch((const char *)(at + i), _MM_HINT_T0);
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
        __m512 even[ROW_TILE], odd[ROW_TILE];
#pragma GCC unroll 8
        for (int q = 0; q < count; q++) even[q] = odd[q] = _mm512_setzero_ps();
        for (int64_t i = 0; i < size; i += 2) {
            __m512 key = half_floats(keys + i * BLOCK), next = half_floats(keys + (i + 1) * BLOCK);
#pragma GCC unroll 8
            for (int q = 0; q < count; q++) {
                even[q] = _mm512_fmadd_ps(_mm512_set1_ps(queries[q][i]), key, even[q]);
                odd[q] = _mm512_fmadd_ps(_mm512_set1_ps(queries[q][i + 1]), next, odd[q]);
            }
        }
#pragma GCC unroll 8
        for (int q = 0; q < count; q++)
            _mm512_storeu_ps(tile->scores + q * tile->stride + position, _mm512_add_ps(even[q], odd[q]));
    }
}

// Turns a query's scores into weights, 0 beyond its length; returns one over their sum.
static inline float soften(float *scores, int64_t length, int64_t end) {
    __m512 largest = _mm512_set1_ps(-INFINITY), total = _mm512_setzero_ps();
    for (int64_t position = 0; position < length; position += 16) {
        __mmask16 valid = length - position >= 16 ? 0xffff : (__mmask16)((1u << (length - position)) - 1);
        largest = _mm512_mask_max_ps(largest, valid, largest, _mm512_loadu_ps(scores + position));
    }
    largest = _mm512_set1_ps(_mm512_reduce_max_ps(largest));
    for (int64_t position = 0; position < end; position += 16) {
        int64_t left = length - position;
        __mmask16 valid = left >= 16 ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
        __m512 score = _mm512_loadu_ps(scores + position);
        __m512 weight = _mm512_maskz_mov_ps(valid, exponential(_mm512_sub_ps(score, largest)));
        total = _mm512_add_ps(total, weight);
        _mm512_storeu_ps(scores + position, weight);
    }
    return 1.0f / _mm512_reduce_add_ps(total);
}

// Weighted sums of `parts` (1 or 2) times 16 numbers of a head's values from number `first` on.
static inline __attribute__((always_inline)) void weigh(const Queries *tile, const int count, const int parts,
                                                        int64_t size, const uint16_t *values, int64_t first,
                                                        const float *inverse) {
    __m512 sums[ROW_TILE][2];
#pragma GCC unroll 8
    for (int q = 0; q < count; q++) sums[q][0] = sums[q][1] = _mm512_setzero_ps();
    for (int64_t position = 0; position < tile->length[count - 1]; position++) {
#pragma GCC unroll 2
        for (int part = 0; part < parts; part++) {
            __m512 value = half_floats(values + position * size + first + 16 * part);
#pragma GCC unroll 8
            for (int q = 0; q < count; q++)
                sums[q][part] =
                    _mm512_fmadd_ps(_mm512_set1_ps(tile->scores[q * tile->stride + position]), value, sums[q][part]);
        }
    }
#pragma GCC unroll 8
    for (int q = 0; q < count; q++)
#pragma GCC unroll 2
        for (int part = 0; part < parts; part++)
            _mm512_storeu_ps(tile->out[q] + first + 16 * part,
                             _mm512_mul_ps(sums[q][part], _mm512_set1_ps(inverse[q])));
}

static inline __attribute__((always_inline)) void attend_tile(const Queries *tile, const int count, int64_t size,
                                                              const uint16_t *keys, const uint16_t *values) {
    float inverse[ROW_TILE];
    score(tile, count, size, keys, values);
    for (int q = 0; q < count; q++)
        inverse[q] = soften(tile->scores + q * tile->stride, tile->length[q], tile->length[count - 1]);
    int64_t first = 0;
    for (; first + 32 <= size; first += 32) weigh(tile, count, 2, size, values, first, inverse);
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
        case 6: attend_tile(tile, 6, size, keys, values); break;
        case 7: attend_tile(tile, 7, size, keys, values); break;
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

// Attends with up to 8 neighbouring ones of the queries that share a key/value head, which are numbered row by row.
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
