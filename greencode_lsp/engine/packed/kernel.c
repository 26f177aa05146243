// Decoder layers on packed weights, for processors with AVX-512 VNNI.
//
// Weights are 4- or 8-bit codes in groups of 32 inputs, activations are rounded to 8 bits per group of 32, products
// are summed as integers, groups in order as floats. So each row's result is the same to the bit whatever rows are
// computed beside it: a draft verified in a batch, a prompt in chunks or token by token all give the same numbers.
//
// Layout of a linear map, for every block of 16 outputs and then every group of 32 inputs:
//   4 bits: 256 bytes, byte 64 * j + 4 * o + i holds inputs 8 * j + i (low half) and 8 * j + 4 + i (high) of output o
//   8 bits: 512 bytes, byte 64 * j + 4 * o + i holds input 4 * j + i of output o, plus 128
//   scales: 16 half floats, and for 4 bits 16 minima behind them: weight = code * scale + minimum

#include <immintrin.h>
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define GROUP 32
#define BLOCK 16
#define ROW_TILE 8

typedef struct {
    int64_t outputs, inputs, bits;
    const uint8_t *codes;
    const uint16_t *scales;
    const float *bias;  // or null
} Linear;

typedef struct {
    Linear qkv, attention_out, mlp_in, mlp_out;
    const float *attention_norm, *attention_norm_bias, *mlp_norm, *mlp_norm_bias;
} Layer;

typedef struct {
    int64_t hidden, heads, kv_heads, head_size, intermediate, gated, layer_norm;
    float epsilon;
    const float *cos, *sin;  // [context, head_size / 2], or null
} Shape;

typedef struct {  // activations of some rows, rounded to 8 bits
    int8_t *codes;  // [rows, inputs]
    float *scales;  // [rows, inputs / 32]
    float *sums;    // [rows, inputs / 32]: sum of the group's rounded values
} Rounded;

typedef struct {
    atomic_int arrived, phase;
} Barrier;

static void wait_for_all(Barrier *barrier, int threads) {
    int phase = atomic_load_explicit(&barrier->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) == threads - 1) {
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->phase, phase + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&barrier->phase, memory_order_acquire) == phase; spins++) {
        if (spins < 4000) _mm_pause();
        else sched_yield();  // somebody else needs the processor
    }
}

// The part of `count` items that is a thread's.
static inline void share(int64_t count, int thread, int threads, int64_t *from, int64_t *to) {
    *from = count * thread / threads;
    *to = count * (thread + 1) / threads;
}

// ------------------------------------------------------------------------------------------------ rounding

static inline void round_group(const float *values, int8_t *codes, float *scale, float *sum) {
    __m512 low = _mm512_loadu_ps(values), high = _mm512_loadu_ps(values + 16);
    float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
    if (_mm512_cmp_ps_mask(low, high, _CMP_UNORD_Q)) largest = NAN;  // a NaN must not be rounded away
    float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    __m512i low_codes = _mm512_cvtps_epi32(_mm512_mul_ps(low, _mm512_set1_ps(inverse)));
    __m512i high_codes = _mm512_cvtps_epi32(_mm512_mul_ps(high, _mm512_set1_ps(inverse)));
    _mm_storeu_si128((__m128i *)codes, _mm512_cvtsepi32_epi8(low_codes));
    _mm_storeu_si128((__m128i *)(codes + 16), _mm512_cvtsepi32_epi8(high_codes));
    *scale = largest / 127.0f;
    *sum = *scale * (float)_mm512_reduce_add_epi32(_mm512_add_epi32(low_codes, high_codes));
}

static void round_rows(const float *values, Rounded rounded, int64_t rows, int64_t inputs, int thread, int threads) {
    int64_t groups = inputs / GROUP, from, to;
    share(rows * groups, thread, threads, &from, &to);
    for (int64_t item = from; item < to; item++)
        round_group(values + item * GROUP, rounded.codes + item * GROUP, rounded.scales + item, rounded.sums + item);
}

// Normalises rows and rounds them. Rows are shared out by group; each thread finds the statistics of its rows itself.
static void normalise_and_round(const Shape *shape, const float *hidden, const float *weight, const float *bias,
                                Rounded rounded, int64_t rows, int thread, int threads) {
    int64_t size = shape->hidden, groups = size / GROUP, from, to;
    share(rows * groups, thread, threads, &from, &to);
    float mean = 0, factor = 0;
    for (int64_t item = from; item < to; item++) {
        const float *row = hidden + item / groups * size;
        int64_t first = item % groups * GROUP;
        if (item == from || first == 0) {
            __m512 total = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
            for (int64_t i = 0; i < size; i += 16) {
                __m512 value = _mm512_loadu_ps(row + i);
                total = _mm512_add_ps(total, value);
                squares = _mm512_fmadd_ps(value, value, squares);
            }
            mean = shape->layer_norm ? _mm512_reduce_add_ps(total) / size : 0.0f;
            if (shape->layer_norm) {
                squares = _mm512_setzero_ps();
                for (int64_t i = 0; i < size; i += 16) {
                    __m512 value = _mm512_sub_ps(_mm512_loadu_ps(row + i), _mm512_set1_ps(mean));
                    squares = _mm512_fmadd_ps(value, value, squares);
                }
            }
            factor = 1.0f / sqrtf(_mm512_reduce_add_ps(squares) / size + shape->epsilon);
        }
        float normal[GROUP];
        for (int64_t i = 0; i < GROUP; i++) {
            normal[i] = (row[first + i] - mean) * factor * weight[first + i];
            if (bias) normal[i] += bias[first + i];
        }
        round_group(normal, rounded.codes + item * GROUP, rounded.scales + item, rounded.sums + item);
    }
}

// ------------------------------------------------------------------------------------------------ linear maps

// Sums of one block of 16 outputs for `rows` (at most ROW_TILE, known when inlined) rows.
static inline __attribute__((always_inline)) void multiply_block(const Linear *map, int64_t block, Rounded x,
                                                                 int64_t row, const int rows, __m512 *sums) {
    const int64_t groups = map->inputs / GROUP;
    const int four = map->bits == 4;
    const uint8_t *codes = map->codes + block * groups * (four ? 256 : 512);
    const uint16_t *scales = map->scales + block * groups * (four ? 32 : 16);
    const __m512i half = _mm512_set1_epi8(0x0f);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) sums[r] = _mm512_setzero_ps();
    for (int64_t group = 0; group < groups; group++) {
        __m512i weights[8];
        __m512 scale, minimum;
        if (four) {
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                __m512i pair = _mm512_loadu_si512(codes + 64 * j);
                weights[2 * j] = _mm512_and_si512(pair, half);
                weights[2 * j + 1] = _mm512_and_si512(_mm512_srli_epi16(pair, 4), half);
            }
            scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales));
            minimum = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(scales + 16)));
            codes += 256;
            scales += 32;
        } else {
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++) weights[j] = _mm512_loadu_si512(codes + 64 * j);
            scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales));
            minimum = _mm512_mul_ps(scale, _mm512_set1_ps(-128.0f));
            codes += 512;
            scales += 16;
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            const int64_t at = (row + r) * groups + group;
            int32_t inputs[8];
            memcpy(inputs, x.codes + at * GROUP, GROUP);
            __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
#pragma GCC unroll 4
            for (int j = 0; j < 8; j += 2) {
                even = _mm512_dpbusd_epi32(even, weights[j], _mm512_set1_epi32(inputs[j]));
                odd = _mm512_dpbusd_epi32(odd, weights[j + 1], _mm512_set1_epi32(inputs[j + 1]));
            }
            __m512 dot = _mm512_cvtepi32_ps(_mm512_add_epi32(even, odd));
            sums[r] = _mm512_fmadd_ps(_mm512_mul_ps(scale, _mm512_set1_ps(x.scales[at])), dot, sums[r]);
            sums[r] = _mm512_fmadd_ps(minimum, _mm512_set1_ps(x.sums[at]), sums[r]);
        }
    }
    if (map->bias)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sums[r] = _mm512_add_ps(sums[r], _mm512_loadu_ps(map->bias + block * BLOCK));
}

static void multiply_tile(const Linear *map, int64_t block, Rounded x, int64_t row, int64_t rows, __m512 *sums) {
    switch (rows) {
        case 1: multiply_block(map, block, x, row, 1, sums); break;
        case 2: multiply_block(map, block, x, row, 2, sums); break;
        case 3: multiply_block(map, block, x, row, 3, sums); break;
        case 4: multiply_block(map, block, x, row, 4, sums); break;
        case 5: multiply_block(map, block, x, row, 5, sums); break;
        case 6: multiply_block(map, block, x, row, 6, sums); break;
        case 7: multiply_block(map, block, x, row, 7, sums); break;
        default: multiply_block(map, block, x, row, ROW_TILE, sums); break;
    }
}

static inline int64_t tile(int64_t rows, int64_t row) { return rows - row < ROW_TILE ? rows - row : ROW_TILE; }

// out[row, :] = map(x[row]), or out += map(x).
static void multiply(const Linear *map, Rounded x, int64_t rows, float *out, int add, int thread, int threads) {
    int64_t from, to;
    share(map->outputs / BLOCK, thread, threads, &from, &to);
    for (int64_t block = from; block < to; block++) {
        for (int64_t row = 0; row < rows; row += ROW_TILE) {
            __m512 sums[ROW_TILE];
            int64_t count = tile(rows, row);
            multiply_tile(map, block, x, row, count, sums);
            for (int64_t r = 0; r < count; r++) {
                float *place = out + (row + r) * map->outputs + block * BLOCK;
                _mm512_storeu_ps(place, add ? _mm512_add_ps(_mm512_loadu_ps(place), sums[r]) : sums[r]);
            }
        }
    }
}

static inline __m512 exponential(__m512 x) {  // within 2 units in the last place for x <= 0
    x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
    __m512 whole = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
    __m512 rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(0.693359375f), x);
    rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(-2.12194440e-4f), rest);
    __m512 y = _mm512_set1_ps(1.9875691500e-4f);
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.3981999507e-3f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(8.3334519073e-3f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(4.1665795894e-2f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.6666665459e-1f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(5.0000001201e-1f));
    y = _mm512_fmadd_ps(y, _mm512_mul_ps(rest, rest), _mm512_add_ps(rest, _mm512_set1_ps(1.0f)));
    return _mm512_scalef_ps(y, whole);
}

static inline __m512 silu(__m512 x) {
    __m512 decay = exponential(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_abs_ps(x)));  // e^-|x|
    __m512 above = _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), decay));
    return _mm512_mask_mul_ps(above, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), above, decay);
}

// out = activation(mlp_in(x)): silu(gate) * up for gated models, relu otherwise.
static void multiply_and_activate(const Shape *shape, const Linear *map, Rounded x, int64_t rows, float *out,
                                  int thread, int threads) {
    int64_t blocks = shape->intermediate / BLOCK, from, to;
    share(blocks, thread, threads, &from, &to);
    for (int64_t block = from; block < to; block++) {
        for (int64_t row = 0; row < rows; row += ROW_TILE) {
            __m512 gate[ROW_TILE], up[ROW_TILE];
            int64_t count = tile(rows, row);
            multiply_tile(map, block, x, row, count, gate);
            if (shape->gated) multiply_tile(map, blocks + block, x, row, count, up);
            for (int64_t r = 0; r < count; r++)
                _mm512_storeu_ps(out + (row + r) * shape->intermediate + block * BLOCK,
                                 shape->gated ? _mm512_mul_ps(silu(gate[r]), up[r])
                                              : _mm512_max_ps(gate[r], _mm512_setzero_ps()));
        }
    }
}

// ------------------------------------------------------------------------------------------------ attention

// Rotates a head in place, halves against each other.
static inline void rotate(float *head, const float *cos, const float *sin, int64_t half) {
    for (int64_t i = 0; i < half; i++) {
        float first = head[i], second = head[half + i];
        head[i] = first * cos[i] - second * sin[i];
        head[half + i] = second * cos[i] + first * sin[i];
    }
}

// Rotates queries and keys, and writes keys and values [kv_heads, capacity, head_size] as half floats.
static void rotate_and_store(const Shape *shape, float *qkv, int64_t rows, int64_t start, uint16_t *keys,
                             uint16_t *values, int64_t capacity, int thread, int threads) {
    int64_t size = shape->head_size, heads = shape->heads + 2 * shape->kv_heads, from, to;
    share(rows * heads, thread, threads, &from, &to);
    for (int64_t item = from; item < to; item++) {
        int64_t position = start + item / heads, head = item % heads, turned = shape->heads + shape->kv_heads;
        float *vector = qkv + item * size;
        if (shape->cos && head < turned)
            rotate(vector, shape->cos + position * (size / 2), shape->sin + position * (size / 2), size / 2);
        if (head < shape->heads) continue;
        uint16_t *cache = head < turned ? keys : values;
        uint16_t *place = cache + ((head - (head < turned ? shape->heads : turned)) * capacity + position) * size;
        for (int64_t i = 0; i < size; i += 16)
            _mm256_storeu_si256((__m256i *)(place + i), _mm512_cvtps_ph(_mm512_loadu_ps(vector + i), 0));
    }
}

static inline __m512 half_floats(const uint16_t *at) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)at));
}

// Attention of one query over `length` positions; head sizes are multiples of 16, at most 256.
static void attend_one(const Shape *shape, const float *query, const uint16_t *keys, const uint16_t *values,
                       int64_t length, float *scores, float *out) {
    const int64_t size = shape->head_size, parts = size / 16;
    const float scale = 1.0f / sqrtf((float)size);
    __m512 q[16], sums[16];
    for (int64_t part = 0; part < parts; part++)
        q[part] = _mm512_mul_ps(_mm512_loadu_ps(query + 16 * part), _mm512_set1_ps(scale));
    float largest = -INFINITY;
    for (int64_t position = 0; position < length; position++) {
        __m512 products = _mm512_mul_ps(q[0], half_floats(keys + position * size));
        for (int64_t part = 1; part < parts; part++)
            products = _mm512_fmadd_ps(q[part], half_floats(keys + position * size + 16 * part), products);
        scores[position] = _mm512_reduce_add_ps(products);
        largest = scores[position] > largest ? scores[position] : largest;
    }
    __m512 total = _mm512_setzero_ps();
    for (int64_t position = 0; position < length; position += 16) {
        __mmask16 valid = length - position >= 16 ? 0xffff : (__mmask16)((1u << (length - position)) - 1);
        __m512 score = _mm512_maskz_loadu_ps(valid, scores + position);
        __m512 weight = _mm512_maskz_mov_ps(valid, exponential(_mm512_sub_ps(score, _mm512_set1_ps(largest))));
        total = _mm512_add_ps(total, weight);
        _mm512_mask_storeu_ps(scores + position, valid, weight);
    }
    for (int64_t part = 0; part < parts; part++) sums[part] = _mm512_setzero_ps();
    for (int64_t position = 0; position < length; position++) {
        __m512 weight = _mm512_set1_ps(scores[position]);
        for (int64_t part = 0; part < parts; part++)
            sums[part] = _mm512_fmadd_ps(weight, half_floats(values + position * size + 16 * part), sums[part]);
    }
    __m512 inverse = _mm512_set1_ps(1.0f / _mm512_reduce_add_ps(total));
    for (int64_t part = 0; part < parts; part++) _mm512_storeu_ps(out + 16 * part, _mm512_mul_ps(sums[part], inverse));
}

static void attend(const Shape *shape, const float *qkv, int64_t rows, int64_t start, const uint16_t *keys,
                   const uint16_t *values, int64_t capacity, float *scores, float *out, int thread, int threads) {
    int64_t size = shape->head_size, heads = shape->heads, width = heads + 2 * shape->kv_heads;
    // Item by item in turn: later rows attend to more, so equal contiguous shares would not be equal work.
    for (int64_t item = thread; item < rows * heads; item += threads) {
        int64_t row = item / heads, head = item % heads, kv = head / (heads / shape->kv_heads);
        attend_one(shape, qkv + (row * width + head) * size, keys + kv * capacity * size,
                   values + kv * capacity * size, start + row + 1, scores, out + item * size);
    }
}

// ------------------------------------------------------------------------------------------------ entry points

int supported(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

static inline void *take(uint8_t **workspace, int64_t bytes) {
    void *place = *workspace;
    *workspace += (bytes + 63) & ~(int64_t)63;
    return place;
}

static inline Rounded take_rounded(uint8_t **workspace, int64_t rows, int64_t inputs) {
    Rounded rounded;
    rounded.codes = take(workspace, rows * inputs);
    rounded.scales = take(workspace, rows * (inputs / GROUP) * sizeof(float));
    rounded.sums = take(workspace, rows * (inputs / GROUP) * sizeof(float));
    return rounded;
}

// Bytes of workspace that `run_layers` needs.
int64_t workspace_bytes(const Shape *shape, int64_t rows, int64_t length, int64_t threads) {
    int64_t width = (shape->heads + 2 * shape->kv_heads) * shape->head_size, attended = shape->heads * shape->head_size;
    int64_t widest = shape->hidden > attended ? shape->hidden : attended;
    widest = widest > shape->intermediate ? widest : shape->intermediate;
    int64_t floats = rows * (width + attended + shape->intermediate) + threads * (length + 64);
    int64_t rounded = rows * widest + 2 * rows * (widest / GROUP + 1) * (int64_t)sizeof(float);
    return floats * (int64_t)sizeof(float) + rounded + 64 * (16 + threads);
}

// Runs layers on hidden [rows, hidden] in place, at positions from `start`.
// keys, values: half floats [layers, kv_heads, capacity, head_size].
void run_layers(const Shape *shape, const Layer *layers, int64_t count, float *hidden, int64_t rows, int64_t start,
                uint16_t *keys, uint16_t *values, int64_t capacity, uint8_t *workspace, int64_t threads) {
    int64_t width = (shape->heads + 2 * shape->kv_heads) * shape->head_size, attended = shape->heads * shape->head_size;
    int64_t widest = shape->hidden > attended ? shape->hidden : attended;
    widest = widest > shape->intermediate ? widest : shape->intermediate;
    float *qkv = take(&workspace, rows * width * sizeof(float));
    float *context = take(&workspace, rows * attended * sizeof(float));
    float *inner = take(&workspace, rows * shape->intermediate * sizeof(float));
    Rounded x = take_rounded(&workspace, rows, widest);
    int64_t scores_size = (start + rows + 63) & ~(int64_t)63;
    float *scores = take(&workspace, threads * scores_size * sizeof(float));
    Barrier barrier = {0};
#pragma omp parallel num_threads(threads)
    {
        int thread = omp_get_thread_num(), team = omp_get_num_threads();  // may be fewer than asked for
        for (int64_t index = 0; index < count; index++) {
            const Layer *layer = layers + index;
            uint16_t *layer_keys = keys + index * shape->kv_heads * capacity * shape->head_size;
            uint16_t *layer_values = values + index * shape->kv_heads * capacity * shape->head_size;
            normalise_and_round(shape, hidden, layer->attention_norm, layer->attention_norm_bias, x, rows, thread,
                                team);
            wait_for_all(&barrier, team);
            multiply(&layer->qkv, x, rows, qkv, 0, thread, team);
            wait_for_all(&barrier, team);
            rotate_and_store(shape, qkv, rows, start, layer_keys, layer_values, capacity, thread, team);
            wait_for_all(&barrier, team);
            attend(shape, qkv, rows, start, layer_keys, layer_values, capacity, scores + thread * scores_size, context,
                   thread, team);
            wait_for_all(&barrier, team);
            round_rows(context, x, rows, attended, thread, team);
            wait_for_all(&barrier, team);
            multiply(&layer->attention_out, x, rows, hidden, 1, thread, team);
            wait_for_all(&barrier, team);
            normalise_and_round(shape, hidden, layer->mlp_norm, layer->mlp_norm_bias, x, rows, thread, team);
            wait_for_all(&barrier, team);
            multiply_and_activate(shape, &layer->mlp_in, x, rows, inner, thread, team);
            wait_for_all(&barrier, team);
            round_rows(inner, x, rows, shape->intermediate, thread, team);
            wait_for_all(&barrier, team);
            multiply(&layer->mlp_out, x, rows, hidden, 1, thread, team);
            wait_for_all(&barrier, team);
        }
    }
}

// Reads hidden [rows, hidden] through a norm and the head: logits [rows, outputs].
void run_head(const Shape *shape, const Linear *head, const float *norm, const float *norm_bias, const float *hidden,
              int64_t rows, float *logits, uint8_t *workspace, int64_t threads) {
    Rounded x = take_rounded(&workspace, rows, shape->hidden);
    Barrier barrier = {0};
#pragma omp parallel num_threads(threads)
    {
        int thread = omp_get_thread_num(), team = omp_get_num_threads();  // may be fewer than asked for
        normalise_and_round(shape, hidden, norm, norm_bias, x, rows, thread, team);
        wait_for_all(&barrier, team);
        multiply(head, x, rows, logits, 0, thread, team);
    }
}
