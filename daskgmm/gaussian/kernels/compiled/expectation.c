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
   component have a responsibility, the last line goes over these pairs alone.

   The bits depend on rows, weights and parameters alone, not on the processor, the compiler, or
   where blocks of rows end: a product and a sum are one fused operation where `fused` says so and
   two where it does not (-ffp-contract=off), and a sum over the rows of a tile has LANES parts,
   lane l with the rows l, l + LANES, ..., which one tree adds. A vector has WIDTH lanes. The
   log-likelihood depends on log of the system's library, too. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define WIDTH 8
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define WIDTH 4
#elif defined(__aarch64__)
#include <arm_neon.h>
#define WIDTH 2
#else
#error "The processor is not known to add a product in one operation: NumPy does all."
#endif

#define LANES 8
#define PARTS (LANES / WIDTH) /* vectors that have the lanes of a sum */
#define TILE 384              /* rows; 512 would put equal rows of z in the same sets of the cache */
#define PANEL 8               /* components whose sums are beside each other */

/* Components, vectors of rows and statistics in registers at once: 32 registers, or 16. */
#if WIDTH == 4
#define COMPONENTS 6
#define ROW_VECTORS(C) ((C) > 4 ? 2 : (C) > 2 ? 3 : 4)
#define STATISTICS(C) ((C) > 3 ? 2 : (C) > 2 ? 3 : 4)
#else
#define COMPONENTS 8
#define ROW_VECTORS(C) ((C) > 6 ? 3 : 4)
#define STATISTICS(C) ((C) > 6 ? 3 : (C) > 4 ? 4 : 6)
#endif

/* Exponential up to which a pair may be left out, 8e-25: more than that of a row in all is 1. */
#define LITTLE 0x1p-80
/* Statistics from which on a tile is asked for its pairs: with fewer it takes longer than it saves. */
#define LEAST_STATISTICS 64

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

typedef double vec __attribute__((vector_size(8 * WIDTH)));
typedef uint64_t bits __attribute__((vector_size(8 * WIDTH)));

/* Must have the fields of `compiled.library.State`. */
typedef struct {
    int64_t d, k, p, panels; /* features, components, statistics, panels of components */
    int64_t has_norm;        /* whether row d + 1 of z is the squared norm */
    int64_t filled;          /* rows in the tile so far */
    int64_t weighted;        /* whether rows have weights */
    double log_likelihood, weight; /* sums of the rows of full tiles */
    const double *center;        /* (d,) */
    const int64_t *left, *right; /* (p to a multiple of LANES), rows of z, times TILE */
    const int64_t *edges;        /* (panels + 1,), first component of each panel */
    const double *theta;         /* of each panel (p, components), times log2(e) */
    double *z;                   /* (1 + d + has_norm, TILE), row 0 is 1 */
    double *a;                   /* (k, TILE) */
    double *weights;             /* (TILE,) */
    double *sums;                /* (panels, p, PANEL) */
    double *factors;             /* (TILE,), weight over the sum of exponentials */
    double *few;                 /* (k, p to a multiple of LANES), sums of tiles with few pairs */
    double *gathered;            /* as z, rows of one component; then their responsibilities */
    int32_t *pairs;              /* (k, TILE), rows that have a part in each component */
    int64_t *counts;             /* (k,), their numbers */
    int64_t sparse;              /* tiles with few pairs so far */
} State;

INLINE vec splat(double x) { return x - (vec){0}; }
INLINE vec load(const double *x) { return *(const vec *)x; }
INLINE void store(double *x, vec v) { *(vec *)x = v; }

/* Bit l of `above`: whether lane l of a is above that of b. */
#if WIDTH == 8
INLINE unsigned above(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
INLINE vec fused(vec a, vec b, vec c) { return _mm512_fmadd_pd(a, b, c); }
INLINE vec larger(vec a, vec b) { return _mm512_max_pd(a, b); } /* b if one is NaN */
#elif WIDTH == 4
INLINE unsigned above(vec a, vec b) {
    return (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_GT_OQ));
}
INLINE vec fused(vec a, vec b, vec c) { return _mm256_fmadd_pd(a, b, c); }
INLINE vec larger(vec a, vec b) { return _mm256_max_pd(a, b); }
#else
INLINE unsigned above(vec a, vec b) { return (a[0] > b[0]) | (unsigned)(a[1] > b[1]) << 1; }
INLINE vec fused(vec a, vec b, vec c) {
    return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
INLINE vec larger(vec a, vec b) {
    bits a_is = (bits)(a > b);
    return (vec)(((bits)a & a_is) | ((bits)b & ~a_is));
}
#endif

/* A value in a register: compilers else read it from memory again for each product. */
#if defined(__aarch64__)
#define KEEP(v) __asm__("" : "+w"(v))
#else
#define KEEP(v) __asm__("" : "+v"(v))
#endif

/* 2^x for LEAST <= x <= 0, to 1 unit in the last place. With n the integer next to x and r = x - n,
   2^r is a polynomial: 1 + r q(r), q the one of degree 10 that is (2^r - 1) / r at the Chebyshev
   nodes of [-1/2, 1/2]. The sum x + ROUND has n in its last bits, which go to the exponent. */
static const double Q[] = {
    0x1.e9d3fe3952179p-32, 0x1.e6063f7217bc6p-28, 0x1.b524fae627834p-24, 0x1.62bfd47773353p-20,
    0x1.ffcbfc670dcd4p-17, 0x1.430913096fd9fp-13, 0x1.5d87fe78a5276p-10, 0x1.3b2ab6fba1ddap-7,
    0x1.c6b08d704a0c2p-5,  0x1.ebfbdff82c598p-3,  0x1.62e42fefa39efp-1,  1.0,
};
static const double ROUND = 0x1.8p52;
static const double LOG_2 = 0x1.62e42fefa39efp-1;
static const double LEAST = -0x1.d4e03a3703d4dp9; /* -650 nats, as softmax.FLOOR */

INLINE vec power_of_two(vec x) {
    vec shifted = x + ROUND, r = x - (shifted - ROUND), y = splat(Q[0]);
#pragma GCC unroll 11
    for (int i = 1; i < 12; i++)
        y = fused(y, r, splat(Q[i]));
    return (vec)((bits)y + ((bits)shifted << 52));
}

/* The sum of LANES lanes by the one tree. */
INLINE double tree(const double *l) {
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

/* Add the sums of 8 times LANES lanes to out (8,): `tree` of each, by vectors of several sums. */
INLINE void add_trees(vec v[8][PARTS], double *out) {
#if WIDTH == 8
#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
    vec halves[4], quarters[2];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) { /* lanes l + (l + 4) of two sums */
        vec a = v[2 * i][0], b = v[2 * i + 1][0];
        halves[i] = MIX(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + MIX(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) { /* then l + (l + 2), of the sums 0, 2, 1, 3 */
        vec a = halves[2 * i], b = halves[2 * i + 1];
        quarters[i] = MIX(a, b, 0, 1, 8, 9, 4, 5, 12, 13) + MIX(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    }
    vec a = quarters[0], b = quarters[1]; /* then the even and the odd lane, in order */
    store(out, load(out) + (MIX(a, b, 0, 4, 2, 6, 8, 12, 10, 14) +
                            MIX(a, b, 1, 5, 3, 7, 9, 13, 11, 15)));
#else
    for (int i = 0; i < 8; i++) {
        double lanes[LANES];
        memcpy(lanes, v[i], sizeof lanes);
        out[i] += tree(lanes);
    }
#endif
}

/* Fill a (C, TILE) with theta (p, C) times T. */
INLINE void densities_of(const State *s, int C, const double *theta, double *a) {
    const int V = ROW_VECTORS(C);
    for (int n = 0; n < TILE; n += V * WIDTH) {
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
    for (; q + J <= s->p; q += J)
        moments_of_some(s, C, J, q, a, sums + q * PANEL);
    for (; q < s->p; q++)
        moments_of_some(s, C, 1, q, a, sums + q * PANEL);
}

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

static void densities(const State *s) {
    for (int64_t i = 0; i < s->panels; i++) {
        int64_t first = s->edges[i];
        OF_PANEL(densities_of, s->edges[i + 1] - first, s->theta + first * s->p, s->a + first * TILE)
    }
}

static void moments(const State *s) {
    for (int64_t i = 0; i < s->panels; i++) {
        int64_t first = s->edges[i];
        OF_PANEL(moments_of, s->edges[i + 1] - first, s->a + first * TILE, s->sums + i * s->p * PANEL)
    }
}

/* Make responsibilities times weights (TILE,) of the log2 densities a; return the log-likelihood.
   Without weights (NULL) logarithms are of products of TILE / LANES totals, each
   from 1 to k: none overflows below a million components. */
static double softmax(const State *s, const double *weights) {
    const int64_t k = s->k;
    double *a = s->a;
    enum { AT_ONCE = 2 * LANES / WIDTH }; /* vectors of rows, so that latencies overlap */
    vec products[PARTS], maxima[PARTS];
    double lanes[LANES] = {0};
    for (int part = 0; part < PARTS; part++)
        products[part] = splat(1.0), maxima[part] = splat(0.0);
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
                vec e = power_of_two(larger(load(at) - maximum[u], splat(LEAST)));
                store(at, e);
                total[u] += e;
            }
        for (int u = 0; u < AT_ONCE; u++) {
            vec weight = splat(1.0);
            if (weights) {
                weight = load(weights + n + u * WIDTH);
                for (int l = 0; l < WIDTH; l++)
                    lanes[(u * WIDTH + l) % LANES] +=
                        weight[l] * (maximum[u][l] * LOG_2 + log(total[u][l]));
            } else {
                products[u % PARTS] *= total[u];
                maxima[u % PARTS] += maximum[u];
            }
            total[u] = weight / total[u];
            store(s->factors + n + u * WIDTH, total[u]);
        }
        for (int64_t c = 0; c < k; c++)
            for (int u = 0; u < AT_ONCE; u++) {
                double *at = a + c * TILE + n + u * WIDTH;
                store(at, load(at) * total[u]);
            }
    }
    if (!weights)
        for (int l = 0; l < LANES; l++)
            lanes[l] = maxima[l / WIDTH][l % WIDTH] * LOG_2 + log(products[l / WIDTH][l % WIDTH]);
    return tree(lanes);
}

/* The squared norm of each row, as row d + 1 of z. */
static void norms(State *s) {
    for (int n = 0; n < TILE; n += WIDTH) {
        vec sum = splat(0.0);
        for (int64_t i = 1; i <= s->d; i++) {
            vec x = load(s->z + i * TILE + n);
            sum = fused(x, x, sum);
        }
        store(s->z + (s->d + 1) * TILE + n, sum);
    }
}

/* Add a full tile; rows of weight 0 that fill it up count in nothing. */
static void add_tile(State *s, const double *weights) {
    if (s->has_norm)
        norms(s);
    densities(s);
    s->log_likelihood += softmax(s, weights);
    if (s->few && lists_few(s)) {
        moments_of_pairs(s);
        s->sparse++;
    } else
        moments(s);
    double lanes[LANES] = {0};
    if (weights)
        for (int n = 0; n < TILE; n++)
            lanes[n % LANES] += weights[n];
    s->weight += weights ? tree(lanes) : (double)TILE;
    s->filled = 0;
}

/* Copy rows x (n, d) minus the centre to z, from column `filled` on: the transpose. */
#define COPY(NAME, TYPE)                                                              \
    static void NAME(State *s, const TYPE *x, int64_t n) {                            \
        const int64_t d = s->d;                                                       \
        double *z = s->z + TILE + s->filled;                                          \
        int64_t r = 0;                                                                \
        for (; r + LANES <= n; r += LANES)                                            \
            for (int64_t i = 0; i < d; i++) {                                         \
                const TYPE *at = x + r * d + i;                                       \
                double *to = z + i * TILE + r, center = s->center[i];                 \
                for (int l = 0; l < LANES; l++)                                       \
                    to[l] = (double)at[l * d] - center;                               \
            }                                                                         \
        for (; r < n; r++)                                                            \
            for (int64_t i = 0; i < d; i++)                                           \
                z[i * TILE + r] = (double)x[r * d + i] - s->center[i];                \
    }
COPY(copy_doubles, double)
COPY(copy_floats, float)

/* Put rows of weight 0 at the centre: nothing has checked their values. */
static void hide(State *s, int64_t first, int64_t stop) {
    for (int64_t n = first; n < stop; n++)
        if (s->weights[n] == 0.0)
            for (int64_t i = 1; i <= s->d; i++)
                s->z[i * TILE + n] = 0.0;
}

/* Add rows x (n, d) of float or double, with weights (n,) or NULL. */
EXPORT void add_rows(State *s, const void *x, int64_t is_float, int64_t n, const double *weights) {
    const int64_t row = s->d * (int64_t)(is_float ? sizeof(float) : sizeof(double));
    s->weighted = weights != NULL;
    for (int64_t taken = 0; taken < n;) {
        int64_t room = TILE - s->filled, m = n - taken < room ? n - taken : room;
        const char *from = (const char *)x + taken * row;
        if (is_float)
            copy_floats(s, (const float *)from, m);
        else
            copy_doubles(s, (const double *)from, m);
        if (weights) {
            memcpy(s->weights + s->filled, weights + taken, (size_t)m * sizeof(double));
            hide(s, s->filled, s->filled + m);
        }
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

/* Fill y (n,) with 2^x, n a multiple of WIDTH: for tests. */
EXPORT void powers_of_two(const double *x, double *y, int64_t n) {
    for (int64_t i = 0; i < n; i += WIDTH)
        store(y + i, power_of_two(load(x + i)));
}

EXPORT int64_t tile(void) { return TILE; }
EXPORT int64_t least_statistics(void) { return LEAST_STATISTICS; }
EXPORT int64_t components(void) { return COMPONENTS; }
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
