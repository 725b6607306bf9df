/* Responsibilities of a tile, of components with tails: densities are made of the values a
   (k, TILE) that the product gives, squared Mahalanobis distances delta in units of each tail, and a
   then has what rows count in the moments. Other sums go to `tail_lanes`.

   A strip of rows goes through all components three times, as in `softmax`: densities and maxima,
   exponentials, responsibilities. What the last of these needs of the first is in `strip`. */

#pragma once

#include "labels.h"
#include "softmax.h"

enum { VECTORS = STRIP / WIDTH }; /* of a strip, so that latencies overlap */

INLINE vec fast_exponential(vec a, vec maximum) {
    return power_by_table(larger(a - maximum, splat(LEAST)));
}

INLINE double *kept(const State *s, int64_t c, int which) {
    return s->strip + (2 * c + which) * STRIP;
}

/* Sums of a component over rows so far, in lanes: one row after the other, whatever a strip has. */
INLINE void begun(const State *s, int64_t c, int which, vec sum[PARTS]) {
    for (int part = 0; part < PARTS; part++)
        sum[part] = load(s->tail_lanes + (SUMS * c + which) * LANES + part * WIDTH);
}

INLINE void keep(const State *s, int64_t c, int which, const vec sum[PARTS]) {
    for (int part = 0; part < PARTS; part++)
        store(s->tail_lanes + (SUMS * c + which) * LANES + part * WIDTH, sum[part]);
}

/* Bar components: logarithms, of which densities are made, become those of rows beyond all others.
   a stays, as exponentials are multiplied by its square. */
INLINE void student_bars(const State *s, int n, vec maximum[VECTORS]) {
    for (int u = 0; u < VECTORS; u++)
        maximum[u] = splat(-INFINITY);
    for (int64_t c = 0; c < s->k; c++) {
        vec slope = splat(s->tails[c]), constant = splat(s->tails[s->k + c]);
        double *logs = kept(s, c, 0);
        for (int u = 0; u < VECTORS; u++) {
            vec log = load(logs + u * WIDTH) + bars(s, c, n + u * WIDTH, BAR);
            store(logs + u * WIDTH, log);
            maximum[u] = larger(maximum[u], fused(slope, log, constant));
        }
    }
}

/* Student-t: a = (nu + delta) / (nu + d) = 1 / u; log2 density = constant - (nu + d) / 2 log2 a.
   Parameters are -(nu + d) / 2 and the constants. a is above 0, and below 2^460, so that no floor
   is felt: where rounding or distances might break that, `natural_error` chooses another kernel. */
INLINE void student_densities(const State *s, int n, vec maximum[VECTORS]) {
    for (int u = 0; u < VECTORS; u++)
        maximum[u] = splat(-INFINITY);
    for (int64_t c = 0; c < s->k; c++) {
        vec slope = splat(s->tails[c]), constant = splat(s->tails[s->k + c]);
        const double *a = s->a + c * TILE + n;
        double *logs = kept(s, c, 0);
#pragma GCC unroll 6
        for (int u = 0; u < VECTORS; u++) {
            vec log = logarithm(load(a + u * WIDTH));
            store(logs + u * WIDTH, log);
            maximum[u] = larger(maximum[u], fused(slope, log, constant));
        }
    }
    if (s->classes)
        student_bars(s, n, maximum);
}

/* The exponentials times u^2, so that nothing is divided by a. What is no number may pass for one
   in a logarithm: values of the first component tell. */
INLINE void student_exponentials(const State *s, int n, const vec *maximum, vec *total) {
    for (int u = 0; u < VECTORS; u++)
        total[u] = load(s->a + n + u * WIDTH) - load(s->a + n + u * WIDTH);
    for (int64_t c = 0; c < s->k; c++) {
        vec slope = splat(s->tails[c] - 2.0), constant = splat(s->tails[s->k + c]);
        const double *a = s->a + c * TILE + n, *logs = kept(s, c, 0);
        double *squares = kept(s, c, 1);
#pragma GCC unroll 6
        for (int u = 0; u < VECTORS; u++) {
            vec x = load(a + u * WIDTH), log = load(logs + u * WIDTH);
            vec e = fast_exponential(fused(slope, log, constant), maximum[u]);
            store(squares + u * WIDTH, e);
            total[u] = fused(e * x, x, total[u]);
        }
    }
}

/* The sums of gamma, gamma log2 a and gamma u^2; a becomes gamma u. */
INLINE void student_weights(const State *s, int n, const vec *total) {
    for (int64_t c = 0; c < s->k; c++) {
        double *a = s->a + c * TILE + n;
        const double *logs = kept(s, c, 0), *squares = kept(s, c, 1);
        vec counts[PARTS], of_logs[PARTS], of_squares[PARTS];
        begun(s, c, 0, counts), begun(s, c, 1, of_logs), begun(s, c, 2, of_squares);
#pragma GCC unroll 6
        for (int u = 0; u < VECTORS; u++) {
            vec x = load(a + u * WIDTH), square = load(squares + u * WIDTH) * total[u];
            vec weight = square * x, gamma = weight * x;
            store(a + u * WIDTH, weight);
            counts[u % PARTS] += gamma;
            of_logs[u % PARTS] = fused(gamma, load(logs + u * WIDTH), of_logs[u % PARTS]);
            of_squares[u % PARTS] += square;
        }
        keep(s, c, 0, counts), keep(s, c, 1, of_logs), keep(s, c, 2, of_squares);
    }
}

/* Contaminated: a = -delta / 2 log2 e; log2 densities = good constant + a, bad constant + a / eta.
   Parameters are the good constants, the bad ones and 1 / eta. */
INLINE void contaminated_densities(const State *s, int n, vec maximum[VECTORS]) {
    for (int u = 0; u < VECTORS; u++)
        maximum[u] = splat(-INFINITY);
    for (int64_t c = 0; c < s->k; c++) {
        const double *a = s->a + c * TILE + n;
        vec good = splat(s->tails[c]), bad = splat(s->tails[s->k + c]);
        vec slope = splat(s->tails[2 * s->k + c]);
#pragma GCC unroll 6
        for (int u = 0; u < VECTORS; u++) {
            vec x = load(a + u * WIDTH);
            maximum[u] = larger(larger(maximum[u], x + good), fused(x, slope, bad));
        }
    }
}

INLINE void contaminated_exponentials(const State *s, int n, const vec *maximum, vec *total) {
    for (int64_t c = 0; c < s->k; c++) {
        const double *a = s->a + c * TILE + n;
        double *goods = kept(s, c, 0), *bads = kept(s, c, 1);
        vec good = splat(s->tails[c]), bad = splat(s->tails[s->k + c]);
        vec slope = splat(s->tails[2 * s->k + c]);
#pragma GCC unroll 6
        for (int u = 0; u < VECTORS; u++) {
            vec x = load(a + u * WIDTH);
            vec of_good = fast_exponential(x + good, maximum[u]);
            vec of_bad = fast_exponential(fused(x, slope, bad), maximum[u]);
            store(goods + u * WIDTH, of_good);
            store(bads + u * WIDTH, of_bad);
            total[u] += of_good + of_bad;
        }
    }
}

/* The sums of gamma, of its bad part, of this times a, and of weights times a; a becomes the
   weight, good part + bad part / eta. */
INLINE void contaminated_weights(const State *s, int n, const vec *total) {
    for (int64_t c = 0; c < s->k; c++) {
        double *a = s->a + c * TILE + n;
        const double *goods = kept(s, c, 0), *bads = kept(s, c, 1);
        vec slope = splat(s->tails[2 * s->k + c]);
        vec counts[PARTS], bad_counts[PARTS], bad_values[PARTS], values[PARTS];
        begun(s, c, 0, counts), begun(s, c, 1, bad_counts);
        begun(s, c, 2, bad_values), begun(s, c, 3, values);
#pragma GCC unroll 6
        for (int u = 0; u < VECTORS; u++) {
            vec x = load(a + u * WIDTH), good = load(goods + u * WIDTH) * total[u];
            vec bad = load(bads + u * WIDTH) * total[u], weight = fused(bad, slope, good);
            store(a + u * WIDTH, weight);
            counts[u % PARTS] += good + bad;
            bad_counts[u % PARTS] += bad;
            bad_values[u % PARTS] = fused(bad, x, bad_values[u % PARTS]);
            values[u % PARTS] = fused(weight, x, values[u % PARTS]);
        }
        keep(s, c, 0, counts), keep(s, c, 1, bad_counts);
        keep(s, c, 2, bad_values), keep(s, c, 3, values);
    }
}

/* Add the sums of the tile to those of all tiles. */
static void add_tail_sums(const State *s) {
    for (int64_t q = 0; q < SUMS * s->k; q += 8) {
        vec sums[8][PARTS];
        memcpy(sums, s->tail_lanes + q * LANES, sizeof sums);
        add_trees(sums, s->tail_sums + q);
    }
}

/* Make what rows count in the moments of the distances a, and return the log-likelihood. */
#define SOFTMAX_OF(TAIL)                                                                        \
    static double softmax_of_##TAIL(const State *s, const double *weights) {                    \
        Logarithms logs;                                                                        \
        begin(&logs);                                                                           \
        memset(s->tail_lanes, 0, (size_t)((s->k + 1) / 2 * 2 * SUMS * LANES) * sizeof(double)); \
        for (int n = 0; n < TILE; n += STRIP) {                                                 \
            vec maximum[VECTORS], total[VECTORS];                                               \
            TAIL##_densities(s, n, maximum);                                                    \
            for (int u = 0; u < VECTORS; u++)                                                   \
                total[u] = splat(0.0);                                                          \
            TAIL##_exponentials(s, n, maximum, total);                                          \
            for (int u = 0; u < VECTORS; u++) {                                                 \
                total[u] = factors(&logs, weights, n + u * WIDTH, maximum[u], total[u]);        \
                store(s->factors + n + u * WIDTH, total[u]);                                    \
            }                                                                                   \
            TAIL##_weights(s, n, total);                                                        \
        }                                                                                       \
        add_tail_sums(s);                                                                       \
        return ended(&logs, weights);                                                           \
    }
SOFTMAX_OF(student)
SOFTMAX_OF(contaminated)
