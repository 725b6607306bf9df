/* Components about their own means: exact at any distance between them. In NumPy, for each component,

       z = rows - mean;  a = constant - log2(e) / 2 * ((U^T z) ** 2).sum(0)
       z = rows - point; sums += [1, z] @ r; seconds += (r * z) @ z.T

   with r its responsibilities times weights, after the softmax. So rows stay as they are in z, and
   `shifted` has them minus a point, one component after the other. */

#pragma once

#include "moments.h"
#include "pooled.h"

/* log2 density from which on a row has no place, -1e300 nats: squares of larger distances overflow. */
static const double FARTHEST = -0x1.13bee9768be22p+997;
#define NO_PART 1e-280 /* exponential up to which the floor of exponents applied */

/* The state with rows minus a point (d,) in z. */
static State shifted(const State *s, const double *point) {
    State own = *s;
    own.z = s->shifted;
    for (int64_t i = 0; i < s->d; i++) {
        const double *from = s->z + (1 + i) * TILE;
        double *to = own.z + (1 + i) * TILE;
        vec center = splat(point[i]);
        for (int n = 0; n < TILE; n += WIDTH)
            store(to + n, load(from + n) - center);
    }
    return own;
}

/* Row d + 1 of z becomes the squared distance along axes, with scales (d,) of these. */
static void scaled_squares(const State *s, const double *scales) {
    for (int n = 0; n < TILE; n += ACROSS * WIDTH) {
        vec squares[ACROSS];
        for (int u = 0; u < ACROSS; u++)
            squares[u] = splat(0.0);
        for (int64_t i = 0; i < s->d; i++) {
            vec scale = splat(scales[i]);
            for (int u = 0; u < ACROSS; u++) {
                vec y = scale * load(s->z + (1 + i) * TILE + n + u * WIDTH);
                squares[u] = fused(y, y, squares[u]);
            }
        }
        for (int u = 0; u < ACROSS; u++)
            store(s->z + (1 + s->d) * TILE + n + u * WIDTH, squares[u]);
    }
}

/* The logarithm of the distance of a row z (d,) from the centre of component c; z is overwritten by
   what U^T makes of it. Nothing overflows, as z and then U^T z are divided by their largest value. */
static double log_distance(const State *s, int64_t c, double *z) {
    const int64_t d = s->d;
    double scale = 0x1p-1022, largest = 0x1p-1022, squares = 0.0;
    for (int64_t i = 0; i < d; i++)
        scale = fmax(scale, fabs(z[i]));
    for (int64_t i = 0; i < d; i++)
        z[i] /= scale;
    if (s->scales)
        for (int64_t i = 0; i < d; i++)
            z[i] *= s->scales[c * d + i];
    else
        for (int64_t j = (d - 1) / BLOCK * BLOCK; j >= 0; j -= BLOCK) { /* blocks that need z last */
            const double *factor = s->own_factors + c * s->factor_step + j * (j + BLOCK) / 2;
            double y[BLOCK] = {0};
            for (int64_t i = 0; i < d && i < j + BLOCK; i++)
                for (int b = 0; b < BLOCK; b++)
                    y[b] = __builtin_fma(factor[i * BLOCK + b], z[i], y[b]);
            for (int64_t b = 0; b < BLOCK && j + b < d; b++)
                z[j + b] = y[b];
        }
    for (int64_t i = 0; i < d; i++)
        largest = fmax(largest, fabs(z[i]));
    for (int64_t i = 0; i < d; i++)
        squares += z[i] / largest * (z[i] / largest);
    return log(scale) + log(largest) + 0.5 * log(fmax(squares, 0x1p-1022));
}

/* Give row n to the nearest component by scaled distances; one that is no number stays none. */
static void place_far(const State *s, int n) {
    double nearest = INFINITY, *z = s->far;
    int64_t own = 0;
    for (int64_t c = 0; c < s->k; c++) {
        if (!(s->constants[c] > -INFINITY))
            continue;
        int finite = 1;
        for (int64_t i = 0; i < s->d; i++) {
            double x = s->z[(1 + i) * TILE + n];
            finite &= isfinite(x) != 0;
            z[i] = x - s->means[c * s->d + i];
        }
        double distance = finite ? log_distance(s, c, z) : NAN;
        if (!finite || distance < nearest)
            nearest = distance, own = c;
    }
    /* Finite, so that a labelled row barred from the nearest one is not barred from its own. */
    for (int64_t c = 0; c < s->columns; c++)
        s->a[c * TILE + n] = isnan(nearest) ? NAN : (c == own ? 1.0 : 1.5) * FARTHEST;
}

/* Fill a (columns, TILE) with log2 densities of a tile. */
static void whitened_densities(const State *s) {
    for (int64_t c = 0; c < s->k; c++) {
        State own = shifted(s, s->means + c * s->d);
        own.factor = s->own_factors + c * s->factor_step;
        if (s->scales)
            scaled_squares(&own, s->scales + c * s->d);
        else
            quadratics(&own, TILE);
        vec slope = splat(-0.5 / LOG_2), constant = splat(s->constants[c]);
        for (int n = 0; n < TILE; n += WIDTH)
            store(s->a + c * TILE + n,
                  fused(slope, load(own.z + (1 + s->d) * TILE + n), constant));
    }
    if (s->columns > s->k)
        for (int n = 0; n < TILE; n++)
            s->a[s->k * TILE + n] = s->uniform;
    for (int n = 0; n < TILE; n += WIDTH) {
        vec maximum = splat(-INFINITY), nothing = splat(0.0);
        for (int64_t c = 0; c < s->columns; c++) {
            vec a = load(s->a + c * TILE + n);
            maximum = larger(a, maximum);
            nothing += larger(splat(FARTHEST), a) * 0.0; /* NaN where one is */
        }
        unsigned near = above(maximum + nothing, splat(FARTHEST));
        for (int l = 0; l < WIDTH; l++)
            if (!(near >> l & 1))
                place_far(s, n + l);
    }
}

/* Whether a component has a part of any row; floors of exponents, which count as none, become 0. */
static int has_part(const State *s, int64_t c) {
    bits any = {0};
    for (int n = 0; n < TILE; n += WIDTH) {
        double *at = s->a + c * TILE + n;
        bits part = (bits)(load(at) > NO_PART * load(s->factors + n));
        bits none_is = (bits)(load(at) != load(at));
        store(at, (vec)((bits)load(at) & (part | none_is)));
        any |= part | none_is;
    }
    const bits nothing = {0};
    return memcmp(&any, &nothing, sizeof any) != 0;
}

/* Add the sums of a tile. */
static void whitened_moments(const State *s) {
    for (int64_t c = 0; c < s->columns; c++) {
        if (!has_part(s, c) || c == s->k)
            continue;
        const double *a = s->a + c * TILE;
        State own = shifted(s, s->points + c * s->d);
        if (s->has_norm)
            norms(&own, TILE);
        moments_of(&own, 1, a, s->sums + c * s->p * PANEL);
        if (s->seconds)
            add_second(&own, a, s->seconds + c * s->second_step);
    }
}
