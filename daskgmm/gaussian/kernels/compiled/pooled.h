/* The second moment of components that share a covariance. */

#pragma once

#include "state.h"

/* Features in registers at once, beside a block of BLOCK. */
#if WIDTH == 4
enum { COLUMNS = 2 };
#else
enum { COLUMNS = 4 };
#endif

/* Feature i of the tile; beyond the last one that one, for sums that nobody reads. */
INLINE const double *feature(const State *s, int64_t i) {
    return s->z + (i < s->d ? 1 + i : s->d) * TILE;
}

/* Fill `shares` with the weights of rows in all components together. */
INLINE void share(const State *s) {
    for (int n = 0; n < TILE; n += WIDTH) {
        vec sum = splat(0.0);
        for (int64_t c = 0; c < s->k; c++)
            sum += load(s->a + c * TILE + n);
        store(s->shares + n, sum);
    }
}

/* Add the products of BLOCK weighed features and COLUMNS features from j on. */
INLINE void add_block(const State *s, int64_t j, double *pooled) {
    vec lanes[COLUMNS * BLOCK][PARTS];
    const double *x[COLUMNS];
    for (int v = 0; v < COLUMNS; v++)
        x[v] = feature(s, j + v);
    for (int part = 0; part < PARTS; part++) {
        vec sum[COLUMNS][BLOCK];
        for (int v = 0; v < COLUMNS; v++)
            for (int b = 0; b < BLOCK; b++)
                sum[v][b] = splat(0.0);
        for (int n = part * WIDTH; n < TILE; n += LANES) {
            vec weighed[BLOCK];
            for (int b = 0; b < BLOCK; b++)
                weighed[b] = load(s->weighed + b * TILE + n);
#pragma GCC unroll 4
            for (int v = 0; v < COLUMNS; v++) {
                vec z = load(x[v] + n);
                KEEP(z);
                for (int b = 0; b < BLOCK; b++)
                    sum[v][b] = fused(weighed[b], z, sum[v][b]);
            }
        }
        for (int v = 0; v < COLUMNS; v++)
            for (int b = 0; b < BLOCK; b++)
                lanes[v * BLOCK + b][part] = sum[v][b];
    }
    for (int v = 0; v < COLUMNS; v += 2)
        add_trees(lanes + v * BLOCK, pooled + v * BLOCK);
}

/* Add the second moment of the tile with weights (TILE,): of each block of BLOCK features, from i on,
   the products with the features j below i + BLOCK, (i + BLOCK, BLOCK). */
static void add_second(const State *s, const double *shares, double *pooled) {
    for (int64_t i = 0; i < s->d; i += BLOCK) {
        for (int b = 0; b < BLOCK; b++) {
            const double *x = feature(s, i + b);
            for (int n = 0; n < TILE; n += WIDTH)
                store(s->weighed + b * TILE + n, load(x + n) * load(shares + n));
        }
        for (int64_t j = 0; j < i + BLOCK; j += COLUMNS, pooled += COLUMNS * BLOCK)
            add_block(s, j, pooled);
    }
}

static void add_pooled(const State *s) {
    share(s);
    add_second(s, s->shares, s->pooled);
}
