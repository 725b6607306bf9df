/* Rows of known class: components of other classes are barred from them. */

#pragma once

#include "state.h"

#define UNKNOWN (-1LL) /* the label of a row that has all components */

/* What log2 densities of barred columns lose, which is more than any other has. Without tails it is
   1e300 nats, as a row may be so far from its class; with tails 2^LEAST times it is nothing, too. */
static const double BAR_OF_GAUSSIANS = 0x1.13bee9768be22p+997, BAR = 0x1p300;

/* `by` where the row of a lane is barred from column c, or else 0. */
INLINE vec bars(const State *s, int64_t c, int n, double by) {
    const bits zero = {0}, label = *(const bits *)(s->labels + n);
    bits other = (bits)(label != zero + (uint64_t)s->classes[c]);
    bits known = (bits)(label != zero + (uint64_t)UNKNOWN);
    return (vec)(other & known & (bits)splat(by));
}

/* Take the weight from barred columns of the log2 densities a. */
static void bar(const State *s) {
    const double by = s->tail == GAUSSIAN ? BAR_OF_GAUSSIANS : BAR;
    for (int64_t c = 0; c < s->columns; c++)
        for (int n = 0; n < TILE; n += WIDTH) {
            double *at = s->a + c * TILE + n;
            store(at, load(at) - bars(s, c, n, by));
        }
}

/* Put the labels of rows into the tile, from column `filled` on; NULL where none is known. */
static void copy_labels(State *s, const int32_t *labels, int64_t n) {
    int64_t *to = s->labels + s->filled;
    for (int64_t r = 0; r < n; r++)
        to[r] = labels ? labels[r] : UNKNOWN;
}
