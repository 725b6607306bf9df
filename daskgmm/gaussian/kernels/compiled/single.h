/* A tile in float32: the stages of `densities.h`, `softmax.h` and `moments.h` with twice the lanes.

   For passes that need not be exact (`in_single` of choice.py), of Gaussians and natural parameters
   alone. z, a, theta, factors and what is gathered are floats then, in the same places of `State`.
   Columns are in units that are powers of two, so that no square overflows, and the bits do not
   depend on the units of rows. Sums over the rows of a tile become doubles by `widen`, and sums over
   tiles are doubles. So is the log-likelihood, of log2 densities that are floats. */

#pragma once

#include "moments.h"
#include "single_vectors.h"

static void norms_single(const State *s) {
    float *z = (float *)s->z;
    for (int n = 0; n < TILE; n += FWIDTH) {
        vecf sum = splatf(0.0f);
        for (int64_t i = 1; i <= s->d; i++) {
            vecf x = loadf(z + i * TILE + n);
            sum = fusedf(x, x, sum);
        }
        storef(z + (s->d + 1) * TILE + n, sum);
    }
}

INLINE void densities_of_single(const State *s, int C, const float *theta, float *a) {
    const int V = ROW_VECTORS(C);
    const float *z = (const float *)s->z;
    for (int n = 0; n < TILE; n += V * FWIDTH) {
        vecf sum[COMPONENTS][4], t[4];
        for (int c = 0; c < C; c++)
            for (int u = 0; u < V; u++)
                sum[c][u] = splatf(theta[c]);
        for (int64_t q = 1; q < s->p; q++) {
            const float *x = z + s->left[q] + n, *y = z + s->right[q] + n;
            const float *parameters = theta + q * C;
#pragma GCC unroll 4
            for (int u = 0; u < V; u++)
                t[u] = loadf(x + u * FWIDTH) * loadf(y + u * FWIDTH);
#pragma GCC unroll 8
            for (int c = 0; c < C; c++) {
                vecf parameter = splatf(parameters[c]);
#pragma GCC unroll 4
                for (int u = 0; u < V; u++)
                    sum[c][u] = fusedf(parameter, t[u], sum[c][u]);
            }
        }
        for (int c = 0; c < C; c++)
            for (int u = 0; u < V; u++)
                storef(a + (int64_t)c * TILE + n + u * FWIDTH, sum[c][u]);
    }
}

static void products_single(const State *s) {
    for (int64_t i = 0; i < s->panels; i++) {
        int64_t first = s->edges[i];
        OF_PANEL(densities_of_single, s->edges[i + 1] - first,
                 (const float *)s->theta + first * s->p, (float *)s->a + first * TILE)
    }
}

/* Sums of the logarithms of rows, as `Logarithms`. */
typedef struct {
    vec products[2 * FPARTS], maxima[2 * FPARTS];
    double lanes[LANES];
} SingleLogarithms;

/* As `factors`, of weights (TILE,) and the same in units that are floats; NULL for none. */
INLINE vecf factors_single(SingleLogarithms *logs, const double *weights, const float *light, int n,
                           vecf maximum, vecf total) {
    const int first = 2 * (n / FWIDTH % FPARTS);
    if (!weights) {
        logs->products[first] *= low(total);
        logs->products[first + 1] *= high(total);
        logs->maxima[first] += low(maximum);
        logs->maxima[first + 1] += high(maximum);
        return 1.0f / total;
    }
    for (int l = 0; l < FWIDTH; l++)
        logs->lanes[l % LANES] +=
            weights[n + l] * ((double)maximum[l] * LOG_2 + log((double)total[l]));
    return loadf(light + n) / total;
}

INLINE double ended_single(SingleLogarithms *logs, const double *weights) {
    double products[FLANES], maxima[FLANES];
    memcpy(products, logs->products, sizeof products);
    memcpy(maxima, logs->maxima, sizeof maxima);
    if (!weights)
        for (int l = 0; l < LANES; l++)
            logs->lanes[l] = (maxima[l] + maxima[l + LANES]) * LOG_2 +
                             (log(products[l]) + log(products[l + LANES]));
    return tree(logs->lanes);
}

static double softmax_single(const State *s, const double *weights, const float *light) {
    const int64_t k = s->k;
    float *a = (float *)s->a, *factors = (float *)s->factors;
    enum { AT_ONCE = 2 * FLANES / FWIDTH };
    SingleLogarithms logs;
    memset(&logs, 0, sizeof logs);
    for (int part = 0; part < 2 * FPARTS; part++)
        logs.products[part] = splat(1.0);
    for (int n = 0; n < TILE; n += 2 * FLANES) {
        vecf maximum[AT_ONCE], total[AT_ONCE];
        for (int u = 0; u < AT_ONCE; u++)
            maximum[u] = loadf(a + n + u * FWIDTH), total[u] = splatf(0.0f);
        for (int64_t c = 1; c < k; c++)
            for (int u = 0; u < AT_ONCE; u++)
                maximum[u] = largerf(maximum[u], loadf(a + c * TILE + n + u * FWIDTH));
        for (int64_t c = 0; c < k; c++)
            for (int u = 0; u < AT_ONCE; u++) {
                float *at = a + c * TILE + n + u * FWIDTH;
                vecf e = power_of_two_single(loadf(at) - maximum[u]);
                storef(at, e);
                total[u] += e;
            }
        for (int u = 0; u < AT_ONCE; u++) {
            total[u] = factors_single(&logs, weights, light, n + u * FWIDTH, maximum[u], total[u]);
            storef(factors + n + u * FWIDTH, total[u]);
        }
        for (int64_t c = 0; c < k; c++)
            for (int u = 0; u < AT_ONCE; u++) {
                float *at = a + c * TILE + n + u * FWIDTH;
                storef(at, loadf(at) * total[u]);
            }
    }
    return ended_single(&logs, weights);
}

INLINE void moments_of_some_single(const State *s, int C, int J, int64_t q, const float *a,
                                   double *sums, vec unit) {
    vecf parts[6][PANEL][FPARTS];
    vec lanes[6][PANEL][PARTS];
    memset(lanes, 0, sizeof lanes);
    for (int part = 0; part < FPARTS; part++) {
        vecf sum[COMPONENTS][6], t[6];
        for (int c = 0; c < C; c++)
            for (int j = 0; j < J; j++)
                sum[c][j] = splatf(0.0f);
        const float *x[6], *y[6];
        for (int j = 0; j < J; j++) {
            x[j] = (const float *)s->z + s->left[q + j];
            y[j] = (const float *)s->z + s->right[q + j];
        }
        for (int n = part * FWIDTH; n < TILE; n += FLANES) {
#pragma GCC unroll 6
            for (int j = 0; j < J; j++)
                t[j] = loadf(x[j] + n) * loadf(y[j] + n);
#pragma GCC unroll 8
            for (int c = 0; c < C; c++) {
                vecf responsibility = loadf(a + (int64_t)c * TILE + n);
                KEEP(responsibility);
#pragma GCC unroll 6
                for (int j = 0; j < J; j++)
                    sum[c][j] = fusedf(responsibility, t[j], sum[c][j]);
            }
        }
        for (int c = 0; c < C; c++)
            for (int j = 0; j < J; j++)
                parts[j][c][part] = sum[c][j];
    }
    for (int j = 0; j < J; j++) {
        for (int c = 0; c < C; c++)
            widen(parts[j][c], lanes[j][c], unit);
        add_trees(lanes[j], sums + j * PANEL);
    }
}

INLINE void moments_of_single(const State *s, int C, const float *a, double *sums, vec unit) {
    const int J = STATISTICS(C);
    int64_t q = 0;
    for (; q + J <= s->summed; q += J)
        moments_of_some_single(s, C, J, q, a, sums + q * PANEL, unit);
    for (; q < s->summed; q++)
        moments_of_some_single(s, C, 1, q, a, sums + q * PANEL, unit);
}

static void moments_single(const State *s, vec unit) {
    for (int64_t i = 0; i < s->panels; i++) {
        int64_t first = s->edges[i];
        OF_PANEL(moments_of_single, s->edges[i + 1] - first, (const float *)s->a + first * TILE,
                 s->sums + i * s->p * PANEL, unit)
    }
}

/* As `lists_few`, with the costs of float32. */
static int lists_few_single(const State *s) {
    const int64_t k = s->k, p = s->p, d = s->d;
    const float *a = (const float *)s->a, *factors = (const float *)s->factors;
    int64_t all = 0;
    for (int64_t c = 0; c < k; c++) {
        int32_t *rows = s->pairs + c * TILE;
        int64_t m = 0;
        for (int n = 0; n < TILE; n += FWIDTH) {
            unsigned found = abovef(loadf(a + c * TILE + n), (float)LITTLE * loadf(factors + n));
            for (; found; found &= found - 1)
                rows[m++] = n + __builtin_ctz(found);
        }
        s->counts[c] = m;
        all += m;
    }
    return all * (p / 14 + 2 * d) + k * 6 * p < k * 14 * p;
}

/* Gather the rows of the list of a component and their responsibilities, a multiple of FLANES. */
static int64_t gather_single(const State *s, int64_t c, float *responsibilities) {
    const int64_t height = 1 + s->d + s->has_norm, count = s->counts[c];
    const int64_t m = (count + FLANES - 1) / FLANES * FLANES;
    int32_t *rows = s->pairs + c * TILE;
    for (int64_t r = 0; r < m; r++) {
        responsibilities[r] = r < count ? ((const float *)s->a)[c * TILE + rows[r]] : 0.0f;
        rows[r] = r < count ? rows[r] : 0;
    }
    for (int64_t i = 0; i < height; i++)
        for (int64_t r = 0; r < m; r++)
            ((float *)s->gathered)[i * TILE + r] = ((const float *)s->z)[i * TILE + rows[r]];
    return m;
}

static void moments_of_pairs_single(const State *s, vec unit) {
    const int64_t height = 1 + s->d + s->has_norm, stride = (s->p + LANES - 1) / LANES * LANES;
    const float *gathered = (const float *)s->gathered;
    float *responsibilities = (float *)s->gathered + height * TILE;
    for (int64_t c = 0; c < s->k; c++) {
        int64_t m = gather_single(s, c, responsibilities);
        for (int64_t q = 0; m && q < stride; q += 8) {
            vecf parts[8][FPARTS];
            vec lanes[8][PARTS];
            for (int part = 0; part < FPARTS; part++) {
                vecf sum[8];
                for (int j = 0; j < 8; j++)
                    sum[j] = splatf(0.0f);
                for (int64_t n = part * FWIDTH; n < m; n += FLANES) {
                    vecf responsibility = loadf(responsibilities + n);
#pragma GCC unroll 8
                    for (int j = 0; j < 8; j++) {
                        vecf x = loadf(gathered + s->left[q + j] + n);
                        vecf y = loadf(gathered + s->right[q + j] + n);
                        sum[j] = fusedf(responsibility, x * y, sum[j]);
                    }
                }
                for (int j = 0; j < 8; j++)
                    parts[j][part] = sum[j];
            }
            for (int j = 0; j < 8; j++)
                widen(parts[j], lanes[j], unit);
            add_trees(lanes, s->few + c * stride + q);
        }
    }
}

/* Fill weights in units (TILE,), the largest from 1/2 to 1, and return the unit, a power of two. */
static double lighten(const double *weights, float *light) {
    double largest = 0.0;
    int exponent;
    for (int n = 0; n < TILE; n++)
        largest = weights[n] > largest ? weights[n] : largest;
    frexp(largest, &exponent);
    exponent = exponent < -1000 ? -1000 : exponent > 1000 ? 1000 : exponent; /* both are finite */
    const double scale = ldexp(1.0, -exponent);
    for (int n = 0; n < TILE; n++)
        light[n] = (float)(weights[n] * scale);
    return ldexp(1.0, exponent);
}

/* Add a full tile, as `add_tile`. */
static void sum_tile_single(State *s, const double *weights) {
    float light[TILE] __attribute__((aligned(64)));
    const double unit = weights ? lighten(weights, light) : 1.0;
    if (s->has_norm)
        norms_single(s);
    products_single(s);
    s->log_likelihood += softmax_single(s, weights, light);
    if (s->few && lists_few_single(s)) {
        moments_of_pairs_single(s, splat(unit));
        s->sparse++;
    } else
        moments_single(s, splat(unit));
}

/* As `hide`. */
static void hide_single(State *s, int64_t first, int64_t stop) {
    for (int64_t n = first; n < stop; n++)
        if (s->weights[n] == 0.0)
            for (int64_t i = 1; i <= s->d; i++)
                ((float *)s->z)[i * TILE + n] = 0.0f;
}
