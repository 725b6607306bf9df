/* Responsibilities of a tile, of Gaussian components. */

#pragma once

#include "state.h"

/* Sums of the logarithms of rows. Without weights they are of products of TILE / LANES totals, each
   from 1 to the number of exponentials: none overflows below a million of them. */
typedef struct {
    vec products[PARTS], maxima[PARTS];
    double lanes[LANES];
} Logarithms;

INLINE void begin(Logarithms *logs) {
    for (int part = 0; part < PARTS; part++)
        logs->products[part] = splat(1.0), logs->maxima[part] = splat(0.0);
    memset(logs->lanes, 0, sizeof logs->lanes);
}

/* Add log p of the rows n to n + WIDTH, and return what makes exponentials responsibilities times
   weights (TILE,); NULL for rows without. */
INLINE vec factors(Logarithms *logs, const double *weights, int n, vec maximum, vec total) {
    const int part = n / WIDTH % PARTS;
    if (!weights) {
        logs->products[part] *= total;
        logs->maxima[part] += maximum;
        return 1.0 / total;
    }
    vec weight = load(weights + n);
    for (int l = 0; l < WIDTH; l++)
        logs->lanes[part * WIDTH + l] += weight[l] * (maximum[l] * LOG_2 + log(total[l]));
    return weight / total;
}

INLINE double ended(Logarithms *logs, const double *weights) {
    if (!weights)
        for (int l = 0; l < LANES; l++)
            logs->lanes[l] = logs->maxima[l / WIDTH][l % WIDTH] * LOG_2 +
                             log(logs->products[l / WIDTH][l % WIDTH]);
    return tree(logs->lanes);
}

/* Make responsibilities times weights (TILE,) of the log2 densities a; return the log-likelihood. */
static double softmax(const State *s, const double *weights) {
    const int64_t k = s->columns;
    double *a = s->a;
    enum { AT_ONCE = 2 * LANES / WIDTH }; /* vectors of rows, so that latencies overlap */
    Logarithms logs;
    begin(&logs);
    for (int n = 0; n < TILE; n += 2 * LANES) {
        vec maximum[AT_ONCE], total[AT_ONCE];
        for (int u = 0; u < AT_ONCE; u++)
            maximum[u] = load(a + n + u * WIDTH), total[u] = splat(0.0);
        for (int64_t c = 1; c < k; c++)
            for (int u = 0; u < AT_ONCE; u++)
                maximum[u] = larger(maximum[u], load(a + c * TILE + n + u * WIDTH));
        for (int64_t c = 0; c < k; c++)
            for (int u = 0; u < AT_ONCE; u++) {
                double *at = a + c * TILE + n + u * WIDTH;
                vec e = exponential(load(at), maximum[u]);
                store(at, e);
                total[u] += e;
            }
        for (int u = 0; u < AT_ONCE; u++) {
            total[u] = factors(&logs, weights, n + u * WIDTH, maximum[u], total[u]);
            store(s->factors + n + u * WIDTH, total[u]);
        }
        for (int64_t c = 0; c < k; c++)
            for (int u = 0; u < AT_ONCE; u++) {
                double *at = a + c * TILE + n + u * WIDTH;
                store(at, load(at) * total[u]);
            }
    }
    return ended(&logs, weights);
}
