/* What rows of a tile have under each component: its first stage, of sums and of predictions.

   Functions take the number of rows that are filled, and go on to the next multiple of the rows that
   they have in registers, at most UNTIL more: what is there is a number, and nobody reads of it. */

#pragma once

#include "copying.h"

#define UNTIL 31

/* Components and vectors of rows in registers at once: 32 registers, or 16. */
#if WIDTH == 4
#define COMPONENTS 6
#define ROW_VECTORS(C) ((C) > 4 ? 2 : (C) > 2 ? 3 : 4)
enum { ACROSS = 2 }; /* vectors of rows of `quadratics` */
#else
#define COMPONENTS 8
#define ROW_VECTORS(C) ((C) > 6 ? 3 : 4)
enum { ACROSS = 4 };
#endif

/* Fill rows of a (C, TILE) with theta (p, C) times T. */
INLINE void densities_of(const State *s, int C, int rows, const double *theta, double *a) {
    const int V = ROW_VECTORS(C);
    for (int n = 0; n < rows; n += V * WIDTH) {
        vec sum[COMPONENTS][4], t[4];
        for (int c = 0; c < C; c++)
            for (int u = 0; u < V; u++)
                sum[c][u] = splat(theta[c]);
        for (int64_t q = 1; q < s->p; q++) {
            const double *x = s->z + s->left[q] + n, *y = s->z + s->right[q] + n;
            const double *parameters = theta + q * C;
#pragma GCC unroll 4
            for (int u = 0; u < V; u++)
                t[u] = load(x + u * WIDTH) * load(y + u * WIDTH);
#pragma GCC unroll 8
            for (int c = 0; c < C; c++) {
                vec parameter = splat(parameters[c]);
#pragma GCC unroll 4
                for (int u = 0; u < V; u++)
                    sum[c][u] = fused(parameter, t[u], sum[c][u]);
            }
        }
        for (int c = 0; c < C; c++)
            for (int u = 0; u < V; u++)
                store(a + (int64_t)c * TILE + n + u * WIDTH, sum[c][u]);
    }
}

/* Call f(s, C, ...) with C as a constant, so that its sums are in registers. */
#define OF_PANEL(f, C, ...)                  \
    switch (C) {                             \
    case 1: f(s, 1, __VA_ARGS__); break;     \
    case 2: f(s, 2, __VA_ARGS__); break;     \
    case 3: f(s, 3, __VA_ARGS__); break;     \
    case 4: f(s, 4, __VA_ARGS__); break;     \
    case 5: f(s, 5, __VA_ARGS__); break;     \
    case 6: f(s, 6, __VA_ARGS__); break;     \
    OF_LARGE_PANEL(f, __VA_ARGS__)           \
    }
#if COMPONENTS == 8
#define OF_LARGE_PANEL(f, ...)               \
    case 7: f(s, 7, __VA_ARGS__); break;     \
    case 8: f(s, 8, __VA_ARGS__); break;
#else
#define OF_LARGE_PANEL(f, ...)
#endif

static void products(const State *s, int rows) {
    for (int64_t i = 0; i < s->panels; i++) {
        int64_t first = s->edges[i];
        OF_PANEL(densities_of, s->edges[i + 1] - first, rows, s->theta + first * s->p,
                 s->a + first * TILE)
    }
}

/* The squared norm of each row, as row d + 1 of z. */
static void norms(const State *s, int rows) {
    for (int n = 0; n < rows; n += WIDTH) {
        vec sum = splat(0.0);
        for (int64_t i = 1; i <= s->d; i++) {
            vec x = load(s->z + i * TILE + n);
            sum = fused(x, x, sum);
        }
        store(s->z + (s->d + 1) * TILE + n, sum);
    }
}

/* The log2 density of a uniform component, which is the last column; no number where the others are
   none, as that of any row would hide them. */
static void fill_uniform(const State *s, int rows) {
    for (int n = 0; n < rows; n += WIDTH) {
        vec any = load(s->a + n);
        store(s->a + s->k * TILE + n, splat(s->uniform) + (any - any));
    }
}

/* Row d + 1 of z becomes |U^T z|^2. The factor U (d, d), upper triangular, is in blocks of BLOCK
   columns, of which it has the rows that are not 0, (rows, BLOCK) each; columns from d on are 0. */
static void quadratics(const State *s, int rows) {
    const int64_t d = s->d;
    for (int n = 0; n < rows; n += ACROSS * WIDTH) {
        vec squares[ACROSS];
        for (int u = 0; u < ACROSS; u++)
            squares[u] = splat(0.0);
        const double *factor = s->factor;
        for (int64_t j = 0; j < d; j += BLOCK) {
            vec sum[BLOCK][ACROSS];
            for (int b = 0; b < BLOCK; b++)
                for (int u = 0; u < ACROSS; u++)
                    sum[b][u] = splat(0.0);
            for (int64_t i = 0; i < d && i < j + BLOCK; i++, factor += BLOCK) {
                vec z[ACROSS];
                for (int u = 0; u < ACROSS; u++)
                    z[u] = load(s->z + (1 + i) * TILE + n + u * WIDTH);
#pragma GCC unroll 4
                for (int b = 0; b < BLOCK; b++) {
                    vec coefficient = splat(factor[b]);
                    for (int u = 0; u < ACROSS; u++)
                        sum[b][u] = fused(coefficient, z[u], sum[b][u]);
                }
            }
            for (int b = 0; b < BLOCK; b++)
                for (int u = 0; u < ACROSS; u++)
                    squares[u] = fused(sum[b][u], sum[b][u], squares[u]);
        }
        for (int u = 0; u < ACROSS; u++)
            store(s->z + (1 + d) * TILE + n + u * WIDTH, squares[u]);
    }
}

/* Fill rows of a (columns, TILE) with log2 densities, or with distances for a tail. */
static void densities(const State *s, int rows) {
    if (s->factor)
        quadratics(s, rows);
    else if (s->has_norm)
        norms(s, rows);
    products(s, rows);
    if (s->columns > s->k)
        fill_uniform(s, rows);
}
