// What the kernel is given: weights, shapes, activations.
//
// Layout of a linear map, for every block of 16 outputs and then every group of 32 inputs:
//   4 bits: 256 bytes, byte 64 * j + 4 * o + i holds inputs 8 * j + i (low half) and 8 * j + 4 + i (high) of output o
//   8 bits: 512 bytes, byte 64 * j + 4 * o + i holds input 4 * j + i of output o, plus 128
//   scales: 16 half floats, and for 4 bits 16 minima behind them: weight = code * scale + minimum
#pragma once

#include <stdint.h>

#define GROUP 32
#define BLOCK 16
#define LARGEST_HEAD 256

typedef struct {
    int64_t outputs, inputs, bits;
    const uint8_t *codes;
    const uint16_t *scales;
    const float *bias;  // or null
} Linear;

typedef struct {
    const float *weight, *bias;  // bias may be null
} Norm;

typedef struct {
    Norm norm;
    Linear in, out;
} Mlp;

typedef struct {
    Norm norm;
    Linear qkv, attention_out;
    Mlp mlp;
} Layer;

typedef struct {
    int64_t hidden, heads, kv_heads, head_size, intermediate, gated, layer_norm;
    float epsilon;
    const float *cos, *sin;  // [context, head_size / 2], or null
    int64_t context;         // positions that there are
} Shape;

typedef struct {  // activations of some rows, rounded to 8 bits
    int8_t *codes;    // [rows, inputs]
    float *scales;    // [rows, inputs / 32]
    float *sums;      // [rows, inputs / 32]: sum of the group's rounded values
    int32_t *totals;  // [rows, inputs / 32]: sum of its codes
} Rounded;
