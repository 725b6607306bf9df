/* Vectors of doubles, and the functions of them that have the same bits on all processors.

   A vector has WIDTH lanes. A sum over rows has LANES parts, whatever WIDTH is. */

#pragma once

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

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

typedef double vec __attribute__((vector_size(8 * WIDTH)));
typedef uint64_t bits __attribute__((vector_size(8 * WIDTH)));

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

/* 2^(a - maximum) of log2 densities, from -650 nats on. */
INLINE vec exponential(vec a, vec maximum) {
    return power_of_two(larger(a - maximum, splat(LEAST)));
}

/* 2^x in fewer operations, for tails, with a table: r = x - n has n a multiple of 1/16, whose
   last four bits choose the factor, and 2^r is 1 + r q(r) with q of degree 5. */
static const double R[] = {
    0x1.430a1d08ec681p-13, 0x1.5d897e525c216p-10, 0x1.3b2ab6fb41213p-7,
    0x1.c6b08d6f2a289p-5,  0x1.ebfbdff82c590p-3,  0x1.62e42fefa39f3p-1,
};
static const double SIXTEENTHS[] __attribute__((aligned(64))) = {
    0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
    0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
    0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
    0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0,
};

INLINE vec sixteenth(bits i) {
#if WIDTH == 8
    return _mm512_permutex2var_pd(load(SIXTEENTHS), (__m512i)i, load(SIXTEENTHS + 8));
#elif WIDTH == 4
    return _mm256_i64gather_pd(SIXTEENTHS, (__m256i)(i & 15), 8);
#else
    return (vec){SIXTEENTHS[i[0] & 15], SIXTEENTHS[i[1] & 15]};
#endif
}

INLINE vec power_by_table(vec x) {
    const bits zero = {0};
    vec shifted = x + ROUND / 16, r = x - (shifted - ROUND / 16), y = splat(R[0]);
#pragma GCC unroll 5
    for (int i = 1; i < 6; i++)
        y = fused(y, r, splat(R[i]));
    vec part = sixteenth((bits)shifted);
    y = fused(part, r * y, part);
    return (vec)((bits)y + (((bits)shifted & ~(zero + 15)) << 48));
}

/* log2 of positive, normal x, to a few units in the last place. With e the integer for which
   m = x / 2^e is from sqrt(1/2) to sqrt(2), and s = (m - 1) / (m + 1), it is e + s P(s^2), P the
   polynomial of degree 6 that is log2(m) / s at the Chebyshev nodes of s^2. */
static const double P[] = {
    0x1.f17dfd5fd1af5p-3, 0x1.0bb80a8fb3933p-2, 0x1.484fa99673825p-2, 0x1.a61756810abc2p-2,
    0x1.2776c516a0840p-1, 0x1.ec709dc39ca40p-1, 0x1.71547652b82ffp+1,
};
#define ROOT_HALF 0x3fe6a09e667f3bcdULL /* the bits of sqrt(1/2) */
#define BIAS 1024ULL                    /* so that exponents are positive */

INLINE vec logarithm(vec x) {
    const bits zero = {0}, places = zero + 52, two_to_52 = (bits)splat(0x1p52);
    bits biased = ((bits)x - ROOT_HALF + (BIAS << 52)) >> places;
    vec m = (vec)((bits)x - (biased << places) + (BIAS << 52));
    vec e = (vec)(biased | two_to_52) - (0x1p52 + (double)BIAS);
    vec s = (m - 1.0) / (m + 1.0), square = s * s, y = splat(P[0]);
#pragma GCC unroll 6
    for (int i = 1; i < 7; i++)
        y = fused(y, square, splat(P[i]));
    return fused(s, y, e);
}

/* The sum of LANES lanes by the one tree. */
INLINE double tree(const double *l) {
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

/* Add the sums of 8 times LANES lanes to out (8,): `tree` of each, by vectors of several sums. */
#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
INLINE void add_trees(vec v[8][PARTS], double *out) {
#if WIDTH == 8
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
#elif WIDTH == 4
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        vec halves[4], even[2], odd[2]; /* lanes l + (l + 4), then those of two sums in turn */
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            halves[j] = v[i + j][0] + v[i + j][1];
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            even[j] = MIX(halves[2 * j], halves[2 * j + 1], 0, 4, 2, 6);
            odd[j] = MIX(halves[2 * j], halves[2 * j + 1], 1, 5, 3, 7);
        }
        vec first = MIX(even[0], even[1], 0, 1, 4, 5) + MIX(even[0], even[1], 2, 3, 6, 7);
        vec second = MIX(odd[0], odd[1], 0, 1, 4, 5) + MIX(odd[0], odd[1], 2, 3, 6, 7);
        store(out + i, load(out + i) + (first + second));
    }
#else
    for (int i = 0; i < 8; i++) {
        double lanes[LANES];
        memcpy(lanes, v[i], sizeof lanes);
        out[i] += tree(lanes);
    }
#endif
}
