/* Weighted fourth moments of the rows that two components share, as curvature needs them.

   Of a pair of components the weight of a row is that of the row times both responsibilities, and
   u = (1, F (x - m)), in which rows that belong to both are near 0. In NumPy a pair's sums are, with
   t = u[left] * u[right] of shape (p, n),

       products = (t * c) @ t.T

   of which the first `stops[i]` entries of each row i are kept: the others equal some of these. A
   row waits until GROUP rows of its pair are there, so that sums depend on the rows in their order
   alone, and not on the borders of calls. */

#include "vectors.h"

enum { GROUP = 8 * LANES, PIECES = GROUP / LANES, ROWS = 2, COLUMNS = 4 };

/* Must have the fields of `compiled.pairs.State`. */
typedef struct {
    int64_t d, columns, n_pairs, p, size, width, has_norm;
    double least;            /* product of responsibilities that counts */
    const int64_t *numbers;  /* (columns, columns), of the pair; -1 for none */
    const double *points;    /* (pairs, d), m */
    const double *factors;   /* (pairs, d, d), F; row i has `width` entries from the diagonal on */
    const int64_t *left, *right;    /* (p,) */
    const int64_t *stops, *starts;   /* (p,), and where products of t begin among sums */
    const int64_t *order;            /* (p,), rows of t in the order of stops */
    int64_t *counts, *listed;            /* (pairs,), (columns,) */
    double *waiting;                     /* (pairs, GROUP, 1 + d), weights and x - m */
    double *x, *u, *t, *w; /* (1 + d, GROUP), (2 + d, GROUP), (p + COLUMNS, GROUP), (ROWS, GROUP) */
    double *sums;                        /* (pairs, size, LANES) */
} Pairs;

INLINE void whiten(const Pairs *s, int64_t pair, const double *x) {
    const double *factor = s->factors + pair * s->d * s->d;
    vec norm[PIECES * PARTS];
    for (int v = 0; v < PIECES * PARTS; v++)
        norm[v] = splat(0.0);
    for (int64_t i = 0; i < s->d; i++) {
        int64_t stop = i + s->width < s->d ? i + s->width : s->d;
        for (int v = 0; v < PIECES * PARTS; v++) {
            vec y = splat(0.0);
            for (int64_t j = i; j < stop; j++)
                y = fused(splat(factor[i * s->d + j]), load(x + j * GROUP + v * WIDTH), y);
            store(s->u + (1 + i) * GROUP + v * WIDTH, y);
            norm[v] = fused(y, y, norm[v]);
        }
    }
    if (s->has_norm)
        for (int v = 0; v < PIECES * PARTS; v++)
            store(s->u + (1 + s->d) * GROUP + v * WIDTH, norm[v]);
}

/* Write the products of ROWS rows w with COLUMNS rows t to found (ROWS, COLUMNS). */
INLINE void products(const double *w, const double *t, double *found) {
    vec total[ROWS * COLUMNS][PARTS];
    for (int part = 0; part < PARTS; part++) {
        vec sum[ROWS][COLUMNS];
#pragma GCC unroll 2
        for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
            for (int j = 0; j < COLUMNS; j++)
                sum[i][j] = splat(0.0);
        for (int n = part * WIDTH; n < GROUP; n += LANES)
#pragma GCC unroll 4
            for (int j = 0; j < COLUMNS; j++)
#pragma GCC unroll 2
                for (int i = 0; i < ROWS; i++)
                    sum[i][j] = fused(load(w + i * GROUP + n), load(t + j * GROUP + n), sum[i][j]);
#pragma GCC unroll 2
        for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
            for (int j = 0; j < COLUMNS; j++)
                total[i * COLUMNS + j][part] = sum[i][j];
    }
    for (int i = 0; i < ROWS * COLUMNS; i++)
        found[i] = 0.0;
    add_trees(total, found);
}

/* Add the products of some rows of t, in the order of their stops, with all those before them. */
static void add_rows_of(const Pairs *s, const int64_t *order, int rows, double *sums) {
    double found[ROWS * COLUMNS] __attribute__((aligned(64)));
    for (int i = 0; i < ROWS; i++) {
        const double *t = s->t + order[i < rows ? i : 0] * GROUP;
        for (int v = 0; v < GROUP; v += WIDTH)
            store(s->w + i * GROUP + v, load(s->x + v) * load(t + v));
    }
    for (int64_t first = 0; first < s->stops[order[rows - 1]]; first += COLUMNS) {
        products(s->w, s->t + first * GROUP, found);
        for (int i = 0; i < rows; i++) {
            int64_t left = s->stops[order[i]] - first;
            for (int j = 0; j < COLUMNS && j < left; j++)
                sums[s->starts[order[i]] + first + j] += found[i * COLUMNS + j];
        }
    }
}

/* Add the rows that wait. */
static void add_group(Pairs *s, int64_t pair) {
    const double *waiting = s->waiting + pair * (1 + s->d) * GROUP;
    for (int n = 0; n < GROUP; n++)
        for (int64_t i = 0; i <= s->d; i++)
            s->x[i * GROUP + n] = *waiting++;
    whiten(s, pair, s->x + GROUP);
    for (int64_t i = 0; i < s->p; i++)
        for (int v = 0; v < GROUP; v += WIDTH)
            store(s->t + i * GROUP + v,
                  load(s->u + s->left[i] * GROUP + v) * load(s->u + s->right[i] * GROUP + v));
    for (int64_t n = 0; n < s->p; n += ROWS)
        add_rows_of(s, s->order + n, s->p - n < ROWS ? (int)(s->p - n) : ROWS,
                    s->sums + pair * s->size);
    s->counts[pair] = 0;
}

INLINE void put(Pairs *s, int64_t pair, const double *x, double weight) {
    int64_t place = s->counts[pair]++;
    double *to = s->waiting + (pair * GROUP + place) * (1 + s->d);
    const double *point = s->points + pair * s->d;
    *to++ = weight;
    for (int64_t i = 0; i < s->d; i++)
        to[i] = x[i] - point[i];
    if (place + 1 == GROUP)
        add_group(s, pair);
}

/* Add rows x (n, d) with responsibilities (n, columns), and weights (n,) or NULL. */
EXPORT void add_pairs(Pairs *s, const double *x, const double *gamma, const double *weights,
                      int64_t n) {
    for (int64_t row = 0; row < n; row++, x += s->d, gamma += s->columns) {
        double weight = weights ? weights[row] : 1.0;
        int64_t m = 0;
        for (int64_t c = 0; c < s->columns; c++) {
            s->listed[m] = c;
            m += gamma[c] > s->least;
        }
        for (int64_t i = 0; i < m; i++) {
            const int64_t *number = s->numbers + s->listed[i] * s->columns;
            for (int64_t j = i; j < m; j++) {
                double c = gamma[s->listed[i]] * gamma[s->listed[j]];
                if (number[s->listed[j]] >= 0 && c > s->least)
                    put(s, number[s->listed[j]], x, weight * c);
            }
        }
    }
}

/* Add the rows that wait. */
EXPORT void rest_of_pairs(Pairs *s) {
    for (int64_t pair = 0; pair < s->n_pairs; pair++) {
        double *waiting = s->waiting + pair * (1 + s->d) * GROUP;
        for (int64_t i = s->counts[pair] * (1 + s->d); i < GROUP * (1 + s->d); i++)
            waiting[i] = 0.0;
        if (s->counts[pair])
            add_group(s, pair);
    }
}

EXPORT int64_t group(void) { return GROUP; }
