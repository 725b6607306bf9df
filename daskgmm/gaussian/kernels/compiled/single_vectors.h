/* Vectors of floats: as `vectors.h`, with twice the lanes.

   A sum over the rows of a tile has FLANES lanes; lane l and lane l + LANES are added as doubles. */

#pragma once

#include "vectors.h"

#define FWIDTH (2 * WIDTH)
#define FLANES (2 * LANES)
#define FPARTS (FLANES / FWIDTH)

typedef float vecf __attribute__((vector_size(4 * FWIDTH)));
typedef uint32_t bitsf __attribute__((vector_size(4 * FWIDTH)));

INLINE vecf splatf(float x) { return x - (vecf){0}; }
INLINE vecf loadf(const float *x) { return *(const vecf *)x; }
INLINE void storef(float *x, vecf v) { *(vecf *)x = v; }

/* As `above`, `fused` and `larger`; and the first and the last half of the lanes as doubles. */
#if WIDTH == 8
INLINE unsigned abovef(vecf a, vecf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
INLINE vecf fusedf(vecf a, vecf b, vecf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vecf largerf(vecf a, vecf b) { return _mm512_max_ps(a, b); }
INLINE vec low(vecf a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
INLINE vec high(vecf a) {
    __m512d both = _mm512_castps_pd(a);
    return _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(both, 1)));
}
#elif WIDTH == 4
INLINE unsigned abovef(vecf a, vecf b) {
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ));
}
INLINE vecf fusedf(vecf a, vecf b, vecf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vecf largerf(vecf a, vecf b) { return _mm256_max_ps(a, b); }
INLINE vec low(vecf a) { return _mm256_cvtps_pd(_mm256_castps256_ps128(a)); }
INLINE vec high(vecf a) { return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)); }
#else
INLINE unsigned abovef(vecf a, vecf b) {
    unsigned found = 0;
    for (unsigned l = 0; l < FWIDTH; l++)
        found |= (unsigned)(a[l] > b[l]) << l;
    return found;
}
INLINE vecf fusedf(vecf a, vecf b, vecf c) {
    return (vecf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
INLINE vecf largerf(vecf a, vecf b) {
    bitsf a_is = (bitsf)(a > b);
    return (vecf)(((bitsf)a & a_is) | ((bitsf)b & ~a_is));
}
INLINE vec low(vecf a) { return (vec)vcvt_f64_f32(vget_low_f32((float32x4_t)a)); }
INLINE vec high(vecf a) { return (vec)vcvt_high_f64_f32((float32x4_t)a); }
#endif

/* 2^x for LEASTF <= x <= 0, to 1 unit in the last place, as `power_of_two`, q being of degree 5. 8e-31
   of a row adds nothing to any sum, and no product with a factor is subnormal, which is slow. */
static const float QF[] = {
    0x1.44138ap-13f, 0x1.5f0890p-10f, 0x1.3b2a54p-7f, 0x1.c6af6cp-5f,
    0x1.ebfbe0p-3f,  0x1.62e430p-1f,  1.0f,
};
#define ROUNDF 0x1.8p23f
#define LEASTF -100.0f

INLINE vecf power_of_two_single(vecf x) {
    vecf raised = largerf(x, splatf(LEASTF)), shifted = raised + ROUNDF;
    vecf r = raised - (shifted - ROUNDF), y = splatf(QF[0]);
#pragma GCC unroll 6
    for (int i = 1; i < 7; i++)
        y = fusedf(y, r, splatf(QF[i]));
    return (vecf)((bitsf)y + ((bitsf)shifted << 23));
}

/* Sums (FLANES,) as doubles (LANES,). */
INLINE void widen(const vecf *sum, vec *lanes, vec unit) {
#if FPARTS == 1
    lanes[0] = (low(sum[0]) + high(sum[0])) * unit;
#else
    for (int part = 0; part < FPARTS / 2; part++) {
        vecf a = sum[part], b = sum[part + FPARTS / 2];
        lanes[2 * part] = (low(a) + low(b)) * unit;
        lanes[2 * part + 1] = (high(a) + high(b)) * unit;
    }
#endif
}
