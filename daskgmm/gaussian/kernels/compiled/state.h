/* A model, the buffers of a tile and the sums of rows. */

#pragma once

#include "vectors.h"

#define TILE 384              /* rows; 512 would put equal rows of z in the same sets of the cache */
#define PANEL 8               /* components whose sums are beside each other */
#define BLOCK 4               /* features of a block of the second moment that components share */
#define SUMS 4                /* sums of a component with tails, at most */
#define STRIP (WIDTH == 8 ? 48 : 24) /* rows whose components with tails are in the first cache */

enum Tail { GAUSSIAN, STUDENT, CONTAMINATED };

/* Must have the fields of `compiled.library.State`. */
typedef struct {
    int64_t d, k, p, panels; /* features, components, statistics, panels of components */
    int64_t has_norm;        /* whether row d + 1 of z is the squared norm or distance */
    int64_t filled;          /* rows in the tile so far */
    int64_t weighted;        /* whether rows have weights */
    double log_likelihood, weight; /* sums of the rows of full tiles */
    const double *center;        /* (d,) */
    const int64_t *left, *right; /* (p to a multiple of LANES), rows of z, times TILE */
    const int64_t *edges;        /* (panels + 1,), first component of each panel */
    const double *theta;         /* of each panel (p, components), times log2(e) */
    double *z;                   /* (1 + d + has_norm, TILE), row 0 is 1 */
    double *a;                   /* (columns, TILE) */
    double *weights;             /* (TILE,) */
    double *sums;                /* (panels, p, PANEL) */
    double *factors;             /* (TILE,), weight over the sum of exponentials */
    double *few;                 /* (k, p to a multiple of LANES), sums of tiles with few pairs */
    double *gathered;            /* as z, rows of one component; then their responsibilities */
    int32_t *pairs;              /* (k, TILE), rows that have a part in each component */
    int64_t *counts;             /* (k,), their numbers */
    int64_t sparse;              /* tiles with few pairs so far */
    int64_t summed;              /* statistics that are summed, the first ones */
    int64_t columns;             /* k, or one more: a uniform component */
    int64_t tail;                /* one of `Tail` */
    double uniform, outliers;    /* log2 density of the uniform component, and its sum */
    const double *tails;         /* (parameters, k), as the functions of a tail have them */
    double *strip;               /* (k, 2, STRIP), values of a strip of rows */
    double *tail_lanes;          /* (k to a multiple of 2, SUMS, LANES), sums of a tile */
    double *tail_sums;           /* (k to a multiple of 2, SUMS) */
    const double *factor;        /* of the shared precision, as `quadratics` reads it; NULL for none */
    double *shares;              /* (TILE,), weights of rows in the second moment of all */
    double *weighed;             /* (BLOCK, TILE), some features times these */
    double *pooled;              /* the second moment, as `add_pooled` writes it; NULL for none */
    const int64_t *classes;      /* (columns,), those of components; NULL for rows without labels */
    int64_t *labels;             /* (TILE,) */
    const double *means;         /* (k, d), of whitened components; NULL for natural ones */
    const double *points;        /* (k, d), what their moments are about */
    const double *constants;     /* (k,), their log2 densities at the means; of no weight -INFINITY */
    const double *own_factors;   /* as `factor`, one for each component or for all */
    int64_t factor_step;         /* entries from one to the next; 0 if it is for all */
    const double *scales;        /* (k, d), factors along axes instead; NULL for none */
    double *shifted;             /* as z, minus a point */
    double *far;                 /* (d,), a row that is far from all */
    double *seconds;             /* as `pooled`, of each component or of all; NULL for none */
    int64_t second_step;         /* entries from one to the next; 0 if it is of all */
    const double *units;         /* (d,), what centred features are multiplied by where tiles are in
                                    float32 (`single.h`); NULL for float64 */
} State;
