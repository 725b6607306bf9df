/* Sums of statistics over the rows of a tile. */

#pragma once

#include "densities.h"

/* Exponential up to which a pair may be left out, 8e-25: more than that of a row in all is 1. */
#define LITTLE 0x1p-80

/* Statistics in registers at once, of C components. */
#if WIDTH == 4
#define STATISTICS(C) ((C) > 3 ? 2 : (C) > 2 ? 3 : 4)
#else
#define STATISTICS(C) ((C) > 6 ? 3 : (C) > 4 ? 4 : 6)
#endif

/* Add J statistics from q on of C components with responsibilities a (C, TILE) to sums (J, PANEL). */
INLINE void moments_of_some(const State *s, int C, int J, int64_t q, const double *a, double *sums) {
    vec lanes[6][PANEL][PARTS];
    memset(lanes, 0, sizeof lanes);
    for (int part = 0; part < PARTS; part++) {
        vec sum[COMPONENTS][6], t[6];
        for (int c = 0; c < C; c++)
            for (int j = 0; j < J; j++)
                sum[c][j] = splat(0.0);
        const double *x[6], *y[6];
        for (int j = 0; j < J; j++) {
            x[j] = s->z + s->left[q + j];
            y[j] = s->z + s->right[q + j];
        }
        for (int n = part * WIDTH; n < TILE; n += LANES) {
#pragma GCC unroll 6
            for (int j = 0; j < J; j++)
                t[j] = load(x[j] + n) * load(y[j] + n);
#pragma GCC unroll 8
            for (int c = 0; c < C; c++) {
                vec responsibility = load(a + (int64_t)c * TILE + n);
                KEEP(responsibility);
#pragma GCC unroll 6
                for (int j = 0; j < J; j++)
                    sum[c][j] = fused(responsibility, t[j], sum[c][j]);
            }
        }
        for (int c = 0; c < C; c++)
            for (int j = 0; j < J; j++)
                lanes[j][c][part] = sum[c][j];
    }
    for (int j = 0; j < J; j++)
        add_trees(lanes[j], sums + j * PANEL);
}

INLINE void moments_of(const State *s, int C, const double *a, double *sums) {
    const int J = STATISTICS(C);
    int64_t q = 0;
    for (; q + J <= s->summed; q += J)
        moments_of_some(s, C, J, q, a, sums + q * PANEL);
    for (; q < s->summed; q++)
        moments_of_some(s, C, 1, q, a, sums + q * PANEL);
}
