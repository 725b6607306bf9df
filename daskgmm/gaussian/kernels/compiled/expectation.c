/* The E-step of rows by natural parameters, in C: what NaturalTile does by NumPy, in one call.

   A tile is TILE rows, stored with one feature a row of the array: z (m, TILE), a (k, TILE).
   Each entry of the statistic T is a product of two rows of z: row 0 is 1, rows 1 to d are the
   centred features, and row d + 1 is the squared norm if a product needs it. In NumPy a tile is

       T = z[left] * z[right]                            (p, TILE), never stored
       a = theta @ T                                     (k, TILE)
       m = a.max(0); e = 2 ** (a - m); total = e.sum(0)
       log_likelihood += w @ (log(2) * m + log(total))
       sums += T @ (e * w / total).T                     (p, k)

   with theta times log2(e), so that exponentials are powers of 2. Where few pairs of a row and a
   component have a responsibility, the last line goes over these pairs alone. Components with tails
   have other lines between the two products (`tails.h`), and those that share a covariance beside a
   uniform one, or with tails, two more products: row d + 1 is then their distance (`densities.h`), and
   their second moment is one more sum (`pooled.h`). Labels bar columns before the maximum (`labels.h`).
   Components about their own means have other lines around the softmax (`whitened.h`), and passes in
   float32 have all of these in floats (`single.h`).

   The bits depend on rows, weights and parameters alone, not on the processor, the compiler, or
   where blocks of rows end: a product and a sum are one fused operation where `fused` says so and
   two where it does not (-ffp-contract=off), and a sum over the rows of a tile has LANES parts,
   lane l with the rows l, l + LANES, ..., which one tree adds. A vector has WIDTH lanes. The
   log-likelihood depends on log of the system's library, too. */

#include "densities.h"
#include "labels.h"
#include "moments.h"
#include "pooled.h"
#include "single.h"
#include "tails.h"
#include "whitened.h"

/* Statistics from which on a tile is asked for its pairs: with fewer it takes longer than it saves. */
#define LEAST_STATISTICS 64

/* List the pairs of the tile, and return whether a sum over these takes less time than one over
   all. The costs are cycles on AVX-512; all processors decide alike, as bits depend on it. */
static int lists_few(const State *s) {
    const int64_t k = s->k, p = s->p, d = s->d;
    int64_t all = 0;
    for (int64_t c = 0; c < k; c++) {
        int32_t *rows = s->pairs + c * TILE;
        int64_t m = 0;
        for (int n = 0; n < TILE; n += WIDTH) {
            vec least = LITTLE * load(s->factors + n);
            unsigned found = above(load(s->a + c * TILE + n), least);
            for (; found; found &= found - 1)
                rows[m++] = n + __builtin_ctz(found);
        }
        s->counts[c] = m;
        all += m;
    }
    return all * (p / 7 + 2 * d) + k * 6 * p < k * 28 * p;
}

/* Add the pairs of the lists to `few`, the rows of a component gathered to be beside each other. */
static void moments_of_pairs(const State *s) {
    const int64_t height = 1 + s->d + s->has_norm, stride = (s->p + LANES - 1) / LANES * LANES;
    double *responsibilities = s->gathered + height * TILE;
    for (int64_t c = 0; c < s->k; c++) {
        int32_t *rows = s->pairs + c * TILE;
        int64_t count = s->counts[c], m = (count + LANES - 1) / LANES * LANES;
        for (int64_t r = 0; r < m; r++) {
            responsibilities[r] = r < count ? s->a[c * TILE + rows[r]] : 0.0;
            rows[r] = r < count ? rows[r] : 0;
        }
        for (int64_t i = 0; i < height; i++)
            for (int64_t r = 0; r < m; r++)
                s->gathered[i * TILE + r] = s->z[i * TILE + rows[r]];
        for (int64_t q = 0; m && q < stride; q += LANES) {
            vec sums[8][PARTS];
            for (int part = 0; part < PARTS; part++) {
                vec sum[8];
                for (int j = 0; j < 8; j++)
                    sum[j] = splat(0.0);
                for (int64_t n = part * WIDTH; n < m; n += LANES) {
                    vec responsibility = load(responsibilities + n);
#pragma GCC unroll 8
                    for (int j = 0; j < 8; j++) {
                        vec x = load(s->gathered + s->left[q + j] + n);
                        vec y = load(s->gathered + s->right[q + j] + n);
                        sum[j] = fused(responsibility, x * y, sum[j]);
                    }
                }
                for (int j = 0; j < 8; j++)
                    sums[j][part] = sum[j];
            }
            add_trees(sums, s->few + c * stride + q);
        }
    }
}

static void moments(const State *s) {
    for (int64_t i = 0; i < s->panels; i++) {
        int64_t first = s->edges[i];
        OF_PANEL(moments_of, s->edges[i + 1] - first, s->a + first * TILE, s->sums + i * s->p * PANEL)
    }
}

static double sum_of_tile(const double *x) {
    vec sum[PARTS];
    double lanes[LANES];
    for (int part = 0; part < PARTS; part++)
        sum[part] = splat(0.0);
    for (int n = 0; n < TILE; n += LANES)
        for (int part = 0; part < PARTS; part++)
            sum[part] += load(x + n + part * WIDTH);
    memcpy(lanes, sum, sizeof lanes);
    return tree(lanes);
}

static double softmax_of(const State *s, const double *weights) {
    switch (s->tail) {
    case STUDENT: return softmax_of_student(s, weights);
    case CONTAMINATED: return softmax_of_contaminated(s, weights);
    default: return softmax(s, weights);
    }
}

static void natural_moments(State *s) {
    if (s->pooled)
        add_pooled(s);
    if (s->few && lists_few(s)) {
        moments_of_pairs(s);
        s->sparse++;
    } else
        moments(s);
}

/* Add a tile in float64. */
static void sum_tile(State *s, const double *weights) {
    if (s->means)
        whitened_densities(s);
    else
        densities(s, TILE);
    if (s->classes && s->tail != STUDENT)
        bar(s);
    s->log_likelihood += softmax_of(s, weights);
    if (s->means)
        whitened_moments(s);
    else
        natural_moments(s);
    if (s->columns > s->k)
        s->outliers += sum_of_tile(s->a + s->k * TILE);
}

/* Add a full tile; rows of weight 0 that fill it up count in nothing. */
static void add_tile(State *s, const double *weights) {
    if (s->units)
        sum_tile_single(s, weights);
    else
        sum_tile(s, weights);
    s->weight += weights ? sum_of_tile(weights) : (double)TILE;
    s->filled = 0;
}

/* Put rows of weight 0 at the centre: nothing has checked their values. */
static void hide(State *s, int64_t first, int64_t stop) {
    if (s->units) {
        hide_single(s, first, stop);
        return;
    }
    for (int64_t n = first; n < stop; n++)
        if (s->weights[n] == 0.0)
            for (int64_t i = 1; i <= s->d; i++)
                s->z[i * TILE + n] = 0.0;
}

/* Copy rows x (m, d) of float or double to the tile. */
static void copy(State *s, const void *x, int64_t is_float, int64_t m) {
    if (s->units && is_float)
        copy_floats_single(s, (const float *)x, m);
    else if (s->units)
        copy_doubles_single(s, (const double *)x, m);
    else if (is_float)
        copy_floats(s, (const float *)x, m);
    else
        copy_doubles(s, (const double *)x, m);
}

/* Add rows x (n, d) of float or double, with weights (n,) and labels (n,), or NULL. */
EXPORT void add_rows(State *s, const void *x, int64_t is_float, int64_t n, const double *weights,
                     const int32_t *labels) {
    const int64_t row = s->d * (int64_t)(is_float ? sizeof(float) : sizeof(double));
    s->weighted = weights != NULL;
    for (int64_t taken = 0; taken < n;) {
        int64_t room = TILE - s->filled, m = n - taken < room ? n - taken : room;
        copy(s, (const char *)x + taken * row, is_float, m);
        if (weights) {
            memcpy(s->weights + s->filled, weights + taken, (size_t)m * sizeof(double));
            hide(s, s->filled, s->filled + m);
        }
        if (s->classes)
            copy_labels(s, labels ? labels + taken : NULL, m);
        taken += m;
        s->filled += m;
        if (s->filled == TILE)
            add_tile(s, weights ? s->weights : NULL);
    }
}

/* Add the rows of a tile that is not full. */
EXPORT void add_rest(State *s) {
    if (s->filled == 0)
        return;
    for (int64_t n = 0; n < TILE; n++)
        if (n >= s->filled)
            s->weights[n] = 0.0;
        else if (!s->weighted)
            s->weights[n] = 1.0;
    hide(s, s->filled, TILE);
    add_tile(s, s->weights);
}

/* Fill y (n,) with functions of x, n a multiple of WIDTH: for tests. */
#define OF_EACH(NAME, FUNCTION)                                 \
    EXPORT void NAME(const double *x, double *y, int64_t n) {   \
        for (int64_t i = 0; i < n; i += WIDTH)                  \
            store(y + i, FUNCTION(load(x + i)));                \
    }
OF_EACH(powers_of_two, power_of_two)
OF_EACH(powers_by_table, power_by_table)
OF_EACH(logarithms, logarithm)

/* The same of floats, n a multiple of FWIDTH. */
EXPORT void powers_of_two_single(const float *x, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i += FWIDTH)
        storef(y + i, power_of_two_single(loadf(x + i)));
}

EXPORT int64_t tile(void) { return TILE; }
EXPORT int64_t least_statistics(void) { return LEAST_STATISTICS; }
EXPORT int64_t components(void) { return COMPONENTS; }
EXPORT int64_t strip(void) { return STRIP; }
EXPORT int64_t source(void) { return SOURCE; }

/* Whether this processor has the instructions that the library was compiled for. */
EXPORT int64_t runs_here(void) {
#if WIDTH == 8
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
#elif WIDTH == 4
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 1;
#endif
}
