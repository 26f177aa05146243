// Decoder layers on packed weights, for the processors that lanes.h knows.
//
// Weights are 4- or 8-bit codes in groups of 32 inputs, activations are rounded to 8 bits per group of 32, products
// are summed as integers, groups in order as floats. So each row's result is the same to the bit whatever rows are
// computed beside it, and on however many threads: a draft verified in a batch, a prompt in chunks or token by token
// all give the same numbers.

#include "attention.h"
#include "checking.h"
#include "choosing.h"
#include "linear.h"
#include "scoring.h"
#include "team.h"
#include "types.h"

#define STEPS_OF_LAYER 10
#define STEPS_OF_READING 5

int supported(void) { return supported_here(); }

const char *instructions(void) { return INSTRUCTIONS; }

// Cuts a piece off a workspace; with a null workspace only its size counts.
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
    rounded.totals = take(workspace, rows * (inputs / GROUP) * sizeof(int32_t));
    return rounded;
}

static inline int64_t larger(int64_t one, int64_t other) { return one > other ? one : other; }

// ------------------------------------------------------------------------------------------------ layers

typedef struct {
    const Shape *shape;
    const Layer *layers;
    int64_t count;
    float *hidden;  // [rows, hidden], changed in place
    int64_t rows, start, read;
    uint16_t *keys, *values;  // [layers, kv_heads, capacity, head_size] half floats
    int64_t capacity;
    float *qkv, *context, *inner, *scores;
    int64_t stride;  // of scores, [threads, ROW_TILE, stride]
    Rounded x;
    Step *steps;
} Layers;

static int64_t lay_out_layers(Layers *work, uint8_t *workspace, int64_t threads) {
    const Shape *shape = work->shape;
    const int64_t rows = work->rows, attended = shape->heads * shape->head_size;
    const int64_t width = attended + 2 * shape->kv_heads * shape->head_size;
    uint8_t *end = workspace;
    work->stride = (work->start + rows + 63) & ~(int64_t)63;
    work->qkv = take(&end, rows * width * sizeof(float));
    work->context = take(&end, rows * attended * sizeof(float));
    work->inner = take(&end, rows * shape->intermediate * sizeof(float));
    work->scores = take(&end, threads * ROW_TILE * work->stride * sizeof(float));
    work->x = take_rounded(&end, rows, larger(larger(shape->hidden, attended), shape->intermediate));
    work->steps = take(&end, work->count * STEPS_OF_LAYER * sizeof(Step));
    return end - workspace;
}

static void run_layers_together(Member *me, void *job) {
    const Layers *w = job;
    const Shape *shape = w->shape;
    const int64_t part = shape->kv_heads * w->capacity * shape->head_size;
    const int64_t attended = shape->heads * shape->head_size, width = attended + 2 * shape->kv_heads * shape->head_size;
    for (int64_t index = 0; index < w->count; index++) {
        const Layer *layer = w->layers + index;
        uint16_t *keys = w->keys + index * part, *values = w->values + index * part;
        normalise_and_round(shape, w->hidden, layer->norm, w->x, w->rows, me);
        multiply(&layer->qkv, w->x, w->rows, w->qkv, 0, me);
        rotate_and_store(shape, w->qkv, w->rows, w->start, keys, values, w->capacity, me);
        const int64_t rows = index == w->count - 1 ? w->read : w->rows, first = w->rows - rows;
        if (!rows) return;
        const Attention attention = {shape, w->qkv + first * width, rows, w->start + first,
                                     keys, values, w->capacity, w->context};
        float *hidden = w->hidden + first * shape->hidden;
        attend(&attention, w->scores + me->thread * ROW_TILE * w->stride, w->stride, me);
        round_rows(w->context, w->x, rows, attended, me);
        multiply(&layer->attention_out, w->x, rows, hidden, 1, me);
        run_mlp(shape, &layer->mlp, hidden, rows, w->x, w->inner, me);
    }
}

// Bytes of workspace that `run_layers` needs.
int64_t layers_bytes(const Shape *shape, int64_t count, int64_t rows, int64_t start, int64_t threads) {
    Layers work = {.shape = shape, .count = count, .rows = rows, .start = start};
    return lay_out_layers(&work, 0, threads);
}

static int all_finite(const float *numbers, int64_t count) {
    uint32_t wrong = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) wrong |= are_not_finite(load(numbers + i));
    for (; i < count; i++) wrong |= !isfinite(numbers[i]);
    return !wrong;
}

// Runs layers on hidden [rows, hidden] in place, at positions from `start`; writes the rows' keys and values. The last
// of these layers changes the last `read` rows alone. Says whether all that came out is finite; BAD_ARGUMENTS, and
// nothing done, where sizes do not fit each other.
int run_layers(const Shape *shape, const Layer *layers, int64_t count, float *hidden, int64_t rows, int64_t start,
               int64_t read, uint16_t *keys, uint16_t *values, int64_t capacity, uint8_t *workspace, int64_t threads) {
    Layers work = {.shape = shape, .layers = layers, .count = count, .hidden = hidden, .rows = rows,
                   .start = start, .read = read, .keys = keys, .values = values, .capacity = capacity};
    if (!shape_fits(shape) || !rows_fit(shape, rows, start, capacity)) return BAD_ARGUMENTS;
    if (count < 0 || threads < 1 || read < 0 || read > rows || !hidden || !keys || !values) return BAD_ARGUMENTS;
    for (int64_t index = 0; index < count; index++)
        if (!layer_fits(shape, layers + index)) return BAD_ARGUMENTS;
    lay_out_layers(&work, workspace, threads);
    run_together(run_layers_together, &work, work.steps, count * STEPS_OF_LAYER, threads);
    return all_finite(hidden, rows * shape->hidden);
}

// ------------------------------------------------------------------------------------------------ scoring

// Scores a state [inputs] for a policy; `room` has place for [width + second] numbers.
void score_policy(const Policy *policy, const float *state, float *room, float *scores) {
    score_state(policy, state, room, room + policy->width, scores);
}

// Scores a state [inputs] and the log odds of the token read there; `room` has place for [width + third + 2] numbers.
float confirm_policy(const Policy *policy, const float *state, float sure, float *room) {
    return confirm_state(policy, state, sure, room, room + policy->width + 1);
}

// ------------------------------------------------------------------------------------------------ reading

typedef struct {  // how an exit's hidden states are read
    const Shape *shape;
    const Mlp *translator;  // or null
    Norm norm;
    const Linear *head;    // all of it, or the part that reads a shortlist
    const Linear *screen;  // a coarser copy of the head, or the head itself
    int64_t vocabulary, candidates;
} Reader;

typedef struct {
    const Reader *reader;
    float *hidden;  // [rows, hidden], changed in place by the translator
    int64_t rows;
    float *logits;               // [rows, outputs]
    int64_t *ids;                // [rows]
    float *probabilities;        // [rows]
    float *inner;                // [rows, width]
    float *largest, *sums;       // [rows, blocks] each: a block's largest logit, and the sum of its exponentials to it
    Candidate *chosen, *exact;  // [rows, candidates]
    Rounded x;
    Step *steps;
} Reading;

static int64_t lay_out_reading(Reading *work, uint8_t *workspace) {
    const Reader *reader = work->reader;
    const int64_t rows = work->rows, width = reader->translator ? reader->translator->out.inputs : 0;
    uint8_t *end = workspace;
    work->inner = take(&end, rows * width * sizeof(float));
    work->largest = take(&end, rows * (reader->head->outputs / BLOCK) * sizeof(float));
    work->sums = take(&end, rows * (reader->head->outputs / BLOCK) * sizeof(float));
    work->chosen = take(&end, rows * reader->candidates * sizeof(Candidate));
    work->exact = take(&end, rows * reader->candidates * sizeof(Candidate));
    work->x = take_rounded(&end, rows, larger(reader->shape->hidden, width));
    work->steps = take(&end, 2 * STEPS_OF_READING * sizeof(Step));
    return end - workspace;
}

static int reader_fits(const Reader *reader) {
    const Shape *shape = reader->shape;
    const int64_t outputs = reader->head->outputs, hidden = shape->hidden;
    return shape_fits(shape) && norm_fits(shape, reader->norm) && fits(reader->head, outputs, hidden) &&
           fits(reader->screen, outputs, hidden) && reader->candidates > 0 && reader->vocabulary > 0 &&
           reader->vocabulary <= outputs &&
           (!reader->translator || mlp_fits(shape, reader->translator, reader->translator->out.inputs));
}

static void translate_and_round(const Reading *w, Member *me) {
    const Reader *reader = w->reader;
    if (reader->translator) run_mlp(reader->shape, reader->translator, w->hidden, w->rows, w->x, w->inner, me);
    normalise_and_round(reader->shape, w->hidden, reader->norm, w->x, w->rows, me);
}

static void read_logits(Member *me, void *job) {
    const Reading *w = job;
    translate_and_round(w, me);
    multiply(w->reader->head, w->x, w->rows, w->logits, 0, me);
}

// The blocks of 16 tokens that look best through the screen are read through the head, whose word is what counts.
static void choose_tokens(Member *me, void *job) {
    const Reading *w = job;
    const Reader *reader = w->reader;
    const int64_t blocks = reader->head->outputs / BLOCK, candidates = reader->candidates;
    int64_t from, to;
    translate_and_round(w, me);
    while (next_share(me, blocks, shares_of(me, w->rows), &from, &to))
        for (int64_t block = from; block < to; block++)
            for (int64_t row = 0; row < w->rows; row += ROW_TILE) {
                Sums sums[ROW_TILE];
                int64_t count = tile(w->rows, row);
                multiply_tile(reader->screen, block, w->x, row, count, sums);
                for (int64_t r = 0; r < count; r++) {
                    const int64_t place = (row + r) * blocks + block;
                    w->largest[place] = best_of_block(&sums[r], block, reader->vocabulary).value;
                    w->sums[place] = sum_of_block(&sums[r], block, reader->vocabulary, w->largest[place]);
                }
            }
    while (next_share(me, w->rows, w->rows, &from, &to))
        choose_best(w->largest + from * blocks, blocks, w->chosen + from * candidates, candidates);
    while (next_share(me, w->rows * candidates, 2 * me->threads, &from, &to))
        for (int64_t item = from; item < to; item++) {
            const int64_t block = w->chosen[item].index;
            w->exact[item] = NONE;
            if (block >= blocks) continue;
            Sums sums[ROW_TILE];
            multiply_tile(reader->head, block, w->x, item / candidates, 1, sums);
            w->exact[item] = best_of_block(&sums[0], block, reader->vocabulary);
        }
    while (next_share(me, w->rows, w->rows, &from, &to)) {
        Candidate winner = NONE;
        for (int64_t i = 0; i < candidates; i++)
            if (better(w->exact[from * candidates + i], winner)) winner = w->exact[from * candidates + i];
        w->ids[from] = winner.index == NONE.index ? -1 : winner.index;
        w->probabilities[from] = largest_share(w->largest + from * blocks, w->sums + from * blocks, blocks);
    }
}

// Bytes of workspace that `run_reader` needs.
int64_t reader_bytes(const Reader *reader, int64_t rows) {
    Reading work = {.reader = reader, .rows = rows};
    return lay_out_reading(&work, 0);
}

// Reads hidden [rows, hidden], which a translator changes in place: all logits [rows, outputs], or where those are
// null the most likely tokens' ids [rows], -1 where no logit is a number, and their probabilities [rows] as the screen
// has them. Returns 0; BAD_ARGUMENTS, and nothing done, where sizes do not fit each other.
int run_reader(const Reader *reader, float *hidden, int64_t rows, float *logits, int64_t *ids, float *probabilities,
                uint8_t *workspace, int64_t threads) {
    if (rows < 1 || threads < 1 || !hidden || !reader_fits(reader)) return BAD_ARGUMENTS;
    Reading work = {.reader = reader, .hidden = hidden, .rows = rows,
                    .logits = logits, .ids = ids, .probabilities = probabilities};
    lay_out_reading(&work, workspace);
    run_together(logits ? read_logits : choose_tokens, &work, work.steps, 2 * STEPS_OF_READING, threads);
    return 0;
}
