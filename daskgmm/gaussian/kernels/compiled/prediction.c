/* What a mixture says of rows: labels, posteriors and log densities, as they are asked for.

   The first stage is that of sums (`densities.h`); rows are then alone, so that bits depend on a row
   and the parameters. In NumPy a tile is, with a (columns, TILE) the log2 densities,

       label = a.argmax(0)
       m = a.max(0); e = 2 ** (a - m); total = e.sum(0)
       posterior = e / total
       log_density = log(2) * (m + log2(total))

   STEP rows go through all components at a time, in the first cache, and only exponentials that are
   asked for are taken. What is written is turned: one row after the other, as the caller has them. */

#include "densities.h"

enum { STEP = 2 * LANES, STEP_VECTORS = STEP / WIDTH }; /* vectors, so that latencies overlap */

enum Kind { NOTHING, DOUBLES, FLOATS, BYTES };

/* Where results go, with bytes from one row to the next: no address need be a multiple of anything.
   Must have the fields of `compiled.library.Places`. */
typedef struct {
    char *labels, *posteriors, *log_densities; /* (n,), (n, columns), (n,); NULL for none */
    int64_t label_stride, posterior_stride, density_stride;
    int64_t label_bytes;                  /* of an integer */
    int64_t columns;                      /* of posteriors: k, or one more, of the uniform one */
    int64_t posterior_kind, density_kind; /* some of `Kind` */
    double levels;                        /* what a posterior of 1 is in bytes */
    int64_t adds_shared;                  /* whether a lacks the distance of `quadratics` */
    const double *half_range;             /* (d,), how far from the centre rows may be */
    double *exponentials;                 /* (columns, STEP) */
} Places;

/* Whether all rows are within the range; one with a NaN is not. */
static int within(const State *s, const double *half_range, int rows) {
    for (int64_t i = 0; i < s->d; i++) {
        const bits all = ~(bits){0};
        bits inside = all;
        vec bound = splat(half_range[i]);
        for (int n = 0; n < rows; n += WIDTH) {
            vec z = load(s->z + (1 + i) * TILE + n);
            inside &= (bits)(larger(z, -z) <= bound);
        }
        if (memcmp(&inside, &all, sizeof all))
            return 0;
    }
    return 1;
}

/* Distances to log2 densities, as `tails.h` says. */
static void student_logs(const State *s, int rows) {
    for (int64_t c = 0; c < s->k; c++) {
        vec slope = splat(s->tails[c]), constant = splat(s->tails[s->k + c]);
        double *a = s->a + c * TILE;
        for (int n = 0; n < rows; n += WIDTH)
            store(a + n, fused(slope, logarithm(load(a + n)), constant));
    }
}

/* Both parts of a component are added: log2(2^x + 2^y) = x + log2(1 + 2^(y - x)), y the lesser. */
static void contaminated_logs(const State *s, int rows) {
    for (int64_t c = 0; c < s->k; c++) {
        vec good = splat(s->tails[c]), bad = splat(s->tails[s->k + c]);
        vec slope = splat(s->tails[2 * s->k + c]);
        double *a = s->a + c * TILE;
        for (int n = 0; n < rows; n += WIDTH) {
            vec x = load(a + n) + good, y = fused(load(a + n), slope, bad);
            vec most = larger(x, y), least = -larger(-x, -y);
            store(a + n, most + logarithm(1.0 + exponential(least, most)));
        }
    }
}

/* The largest of the columns for the rows n to n + STEP, and the first column that has it. */
INLINE void largest(const State *s, int n, vec *maximum, bits *column) {
    for (int u = 0; u < STEP_VECTORS; u++)
        maximum[u] = load(s->a + n + u * WIDTH), column[u] = (bits){0};
    for (int64_t c = 1; c < s->columns; c++)
        for (int u = 0; u < STEP_VECTORS; u++) {
            vec a = load(s->a + c * TILE + n + u * WIDTH);
            bits more = (bits)(a > maximum[u]);
            maximum[u] = larger(a, maximum[u]);
            column[u] = (((bits){0} + (uint64_t)c) & more) | (column[u] & ~more);
        }
}

/* Columns to labels; that of a uniform component, which is behind all others, to -1. */
INLINE void write_labels(const State *s, const Places *t, const bits *column, int64_t row, int m) {
    char *to = t->labels + row * t->label_stride;
    for (int r = 0; r < m; r++, to += t->label_stride) {
        int64_t label = (int64_t)column[r / WIDTH][r % WIDTH];
        label = label == s->k ? -1 : label;
        int32_t of_4 = (int32_t)label;
        int16_t of_2 = (int16_t)label;
        int8_t of_1 = (int8_t)label;
        switch (t->label_bytes) {
        case 8: memcpy(to, &label, 8); break;
        case 4: memcpy(to, &of_4, 4); break;
        case 2: memcpy(to, &of_2, 2); break;
        default: memcpy(to, &of_1, 1);
        }
    }
}

/* Fill the exponentials, and return their sums. */
INLINE void exponentials(const State *s, const Places *t, int n, const vec *maximum, vec *total) {
    for (int u = 0; u < STEP_VECTORS; u++)
        total[u] = splat(0.0);
    for (int64_t c = 0; c < s->columns; c++)
        for (int u = 0; u < STEP_VECTORS; u++) {
            vec e = exponential(load(s->a + c * TILE + n + u * WIDTH), maximum[u]);
            store(t->exponentials + c * STEP + u * WIDTH, e);
            total[u] += e;
        }
}

/* Write m rows of x (k, STEP), turned, from `to` on. */
#define TURN(NAME, TYPE)                                                                   \
    INLINE void NAME(const double *x, int64_t k, char *to, int64_t stride, int m) {        \
        for (int r = 0; r < m; r++, to += stride)                                          \
            for (int64_t c = 0; c < k; c++) {                                              \
                TYPE value = (TYPE)x[c * STEP + r];                                        \
                memcpy(to + c * (int64_t)sizeof value, &value, sizeof value);              \
            }                                                                              \
    }
TURN(turn_to_doubles, double)
TURN(turn_to_floats, float)
TURN(turn_to_bytes, uint8_t)

INLINE void turn(const double *x, int64_t k, int64_t kind, char *to, int64_t stride, int m) {
    switch (kind) {
    case DOUBLES: turn_to_doubles(x, k, to, stride, m); break;
    case FLOATS: turn_to_floats(x, k, to, stride, m); break;
    default: turn_to_bytes(x, k, to, stride, m);
    }
}

INLINE void write_posteriors(const Places *t, const vec *total, int64_t row, int m) {
    double *e = t->exponentials;
    for (int u = 0; u < STEP_VECTORS; u++) {
        vec share = 1.0 / total[u];
        for (int64_t c = 0; c < t->columns; c++) {
            double *at = e + c * STEP + u * WIDTH;
            vec posterior = load(at) * share;
            if (t->posterior_kind == BYTES) /* to the next integer, the even one of two */
                posterior = (posterior * t->levels + ROUND) - ROUND;
            store(at, posterior);
        }
    }
    turn(e, t->columns, t->posterior_kind, t->posteriors + row * t->posterior_stride,
         t->posterior_stride, m);
}

INLINE void write_log_densities(const State *s, const Places *t, int n, const vec *maximum,
                                const vec *total, int64_t row, int m) {
    double logs[STEP] __attribute__((aligned(64)));
    for (int u = 0; u < STEP_VECTORS; u++) {
        vec log = LOG_2 * (maximum[u] + logarithm(total[u]));
        if (t->adds_shared)
            log = log - 0.5 * load(s->z + (1 + s->d) * TILE + n + u * WIDTH);
        store(logs + u * WIDTH, log);
    }
    turn(logs, 1, t->density_kind, t->log_densities + row * t->density_stride, t->density_stride, m);
}

/* Write m rows from n of the tile on, which are those from `row` on of the caller. */
static void write_rows(const State *s, const Places *t, int n, int64_t row, int m) {
    vec maximum[STEP_VECTORS], total[STEP_VECTORS];
    bits column[STEP_VECTORS];
    largest(s, n, maximum, column);
    if (t->labels)
        write_labels(s, t, column, row, m);
    if (!t->posteriors && !t->log_densities)
        return;
    exponentials(s, t, n, maximum, total);
    if (t->log_densities)
        write_log_densities(s, t, n, maximum, total, row, m);
    if (t->posteriors)
        write_posteriors(t, total, row, m);
}

/* Copy m rows to the tile, and put the centre behind them, as far as anything is computed. */
static void copy_rows(State *s, const void *x, int64_t is_float, int64_t first, int m) {
    s->filled = 0;
    if (is_float)
        copy_floats(s, (const float *)x + first * s->d, m);
    else
        copy_doubles(s, (const double *)x + first * s->d, m);
    for (int64_t i = 1; i <= s->d; i++)
        for (int n = m; n < TILE && n < m + STEP + UNTIL; n++)
            s->z[i * TILE + n] = 0.0;
}

/* Predict the rows x (n, d), up to the first tile with one out of range; return their number. */
EXPORT int64_t predict_rows(State *s, const Places *t, const void *x, int64_t is_float, int64_t n) {
    for (int64_t first = 0; first < n; first += TILE) {
        int m = (int)(n - first < TILE ? n - first : TILE);
        copy_rows(s, x, is_float, first, m);
        if (!within(s, t->half_range, m))
            return first;
        int rows = (m + STEP - 1) / STEP * STEP;
        densities(s, rows);
        if (s->tail == STUDENT)
            student_logs(s, rows);
        else if (s->tail == CONTAMINATED)
            contaminated_logs(s, rows);
        for (int r = 0; r < m; r += STEP)
            write_rows(s, t, r, first + r, m - r < STEP ? m - r : STEP);
    }
    return n;
}
