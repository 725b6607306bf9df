/* Rows are copied to a tile with one feature a row of the array: the transpose, minus the centre.

   Four rows of four features at a time are turned in registers: compilers write each number by itself.
   The bits do not depend on which numbers those are. */

#pragma once

#include "state.h"

typedef double quad __attribute__((vector_size(32)));

INLINE quad quad_at(const double *x) {
    quad v;
    memcpy(&v, x, sizeof v);
    return v;
}

/* Features that are copied by fours: all that there are, where compilers can shuffle. */
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define FOURS(d) ((d) / 4 * 4)
#define FOUR_OF(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef FOURS
#define FOURS(d) 0
#define FOUR_OF(a, b, ...) (a)
#endif

INLINE void transpose(quad v[4]) {
    quad a = FOUR_OF(v[0], v[1], 0, 4, 2, 6), b = FOUR_OF(v[0], v[1], 1, 5, 3, 7);
    quad c = FOUR_OF(v[2], v[3], 0, 4, 2, 6), e = FOUR_OF(v[2], v[3], 1, 5, 3, 7);
    v[0] = FOUR_OF(a, c, 0, 1, 4, 5);
    v[1] = FOUR_OF(b, e, 0, 1, 4, 5);
    v[2] = FOUR_OF(a, c, 2, 3, 6, 7);
    v[3] = FOUR_OF(b, e, 2, 3, 6, 7);
}

/* Of a feature i minus the centre, one or a quad: as it is, or in units. */
#define AS_IT_IS(x, unit) (x)
#define IN_UNITS(x, unit) ((x) * (unit))

/* Copy rows x (n, d) of GIVEN to z, of NUMBER, from column `filled` on. */
#define COPY(NAME, GIVEN, NUMBER, SCALED)                                                   \
    static void NAME(State *s, const GIVEN *x, int64_t n) {                                 \
        typedef GIVEN four_given __attribute__((vector_size(4 * sizeof(GIVEN))));           \
        typedef NUMBER four __attribute__((vector_size(4 * sizeof(NUMBER))));               \
        const int64_t d = s->d;                                                             \
        const double *center = s->center, *units = s->units;                                \
        NUMBER *z = (NUMBER *)s->z + TILE + s->filled;                                      \
        (void)units;                                                                        \
        int64_t r = 0;                                                                      \
        for (; r + 4 <= n; r += 4)                                                          \
            for (int64_t i = 0; i < FOURS(d); i += 4) {                                     \
                quad v[4];                                                                  \
                for (int l = 0; l < 4; l++) {                                               \
                    four_given given;                                                       \
                    memcpy(&given, x + (r + l) * d + i, sizeof given);                      \
                    v[l] = __builtin_convertvector(given, quad) - quad_at(center + i);      \
                    v[l] = SCALED(v[l], quad_at(units + i));                                \
                }                                                                           \
                transpose(v);                                                               \
                for (int l = 0; l < 4; l++) {                                               \
                    four made = __builtin_convertvector(v[l], four);                        \
                    memcpy(z + (i + l) * TILE + r, &made, sizeof made);                     \
                }                                                                           \
            }                                                                               \
        for (int64_t first = 0; first + LANES <= n; first += LANES)                         \
            for (int64_t i = FOURS(d); i < d; i++) {                                        \
                const GIVEN *at = x + first * d + i;                                        \
                NUMBER *to = z + i * TILE + first;                                          \
                const double middle = center[i], unit = SCALED(1.0, units[i]);              \
                for (int l = 0; l < LANES; l++)                                             \
                    to[l] = (NUMBER)SCALED((double)at[l * d] - middle, unit);               \
            }                                                                               \
        for (int64_t i = 0; i < d; i++) {                                                   \
            const double middle = center[i], unit = SCALED(1.0, units[i]);                  \
            (void)unit;                                                                     \
            for (int64_t last = i < FOURS(d) ? r : n / LANES * LANES; last < n; last++)     \
                z[i * TILE + last] = (NUMBER)SCALED((double)x[last * d + i] - middle, unit);\
        }                                                                                   \
    }
COPY(copy_doubles, double, double, AS_IT_IS)
COPY(copy_floats, float, double, AS_IT_IS)
COPY(copy_doubles_single, double, float, IN_UNITS)
COPY(copy_floats_single, float, float, IN_UNITS)
