// What the kernel's entry points refuse: sizes that do not fit each other, for which it would read or write elsewhere.
//
// A model's sizes are validated when it is loaded. These checks see to it that a mistake there, or in what is called
// later, is an error and no damage. They take less than a microsecond for all layers of a model.
#pragma once

#include "types.h"

#define BAD_ARGUMENTS -1

static inline int fits(const Linear *map, int64_t outputs, int64_t inputs) {
    return map->codes && map->scales && (map->bits == 4 || map->bits == 8) && map->outputs == outputs &&
           map->inputs == inputs && outputs > 0 && outputs % BLOCK == 0 && inputs > 0 && inputs % GROUP == 0;
}

static inline int norm_fits(const Shape *shape, Norm norm) {
    return norm.weight && (!shape->layer_norm || norm.bias);
}

static inline int mlp_fits(const Shape *shape, const Mlp *mlp, int64_t width) {
    return norm_fits(shape, mlp->norm) && fits(&mlp->in, shape->gated ? 2 * width : width, shape->hidden) &&
           fits(&mlp->out, shape->hidden, width);
}

static inline int layer_fits(const Shape *shape, const Layer *layer) {
    const int64_t attended = shape->heads * shape->head_size;
    return norm_fits(shape, layer->norm) &&
           fits(&layer->qkv, attended + 2 * shape->kv_heads * shape->head_size, shape->hidden) &&
           fits(&layer->attention_out, shape->hidden, attended) && mlp_fits(shape, &layer->mlp, shape->intermediate);
}

static inline int shape_fits(const Shape *shape) {
    return shape->hidden > 0 && shape->hidden % GROUP == 0 && shape->heads > 0 && shape->kv_heads > 0 &&
           shape->heads % shape->kv_heads == 0 && shape->head_size > 0 && shape->head_size % BLOCK == 0 &&
           shape->head_size <= LARGEST_HEAD && !shape->cos == !shape->sin;
}

// Whether `rows` rows at positions from `start` are in the context and in a cache of `capacity` rows.
static inline int rows_fit(const Shape *shape, int64_t rows, int64_t start, int64_t capacity) {
    return rows > 0 && start >= 0 && start <= shape->context && rows <= shape->context - start &&
           start + rows <= capacity && capacity % BLOCK == 0;
}
