#ifndef AL_EXPANDED_JOB_H
#define AL_EXPANDED_JOB_H
/*
 * expanded_job.h: what the two directions of expanded.h share. The unit of work is one panel p of one picture b, for
 * which each thread has scratch of its own.
 */
#include "layers/conv_train.h"
#include "layers/expanded.h"

/* What the steps work on. */
typedef struct al_panels_job {
    const al_run *run;
    const al_expanded *c;
    size_t nr, panels, width, pixels, out_pixels;
    float *scratch;                                 /* [threads] of al_panel_scratch */
    double *partial, *expand_sums, *depthwise_sums; /* sums of batch norms: [B] of them; of all pictures */
    const float *weight, *flipped, *zeros;          /* filters in panels, and turned; a bias */

    /* forward */
    al_linear expand;
    const char *operand; /* x as the expansion's product wants it; NULL: in place */
    bool kept;           /* e and d are there already */
    const float *gates;
    float *h, *means; /* means: NULL where they are known */

    /* backward */
    const float *extra;
    al_gated_sums gated;
    float *dh, *dz, *dgates; /* dz may be dh */
    float *dfilter;          /* [B][panels][taps][nr] */
    float *slope, *offset, *expand_slope, *expand_offset;
    const al_expanded_gradient *gradient;
    bool below; /* something before the filter wants a gradient */
    const float *residual;
    float *dx;
} al_panels_job;

/*
 * A step: `picture` for every panel of every picture; then, panel by panel, `merge` adds up in `sums` what the pictures
 * left, ranks that share statistics exchange them, and `derive` makes of them what the next step wants.
 */
typedef struct al_panel_step {
    void (*picture)(const al_panels_job *job, size_t p, size_t b, float *scratch);
    void (*merge)(const al_panels_job *job, size_t p);
    double *sums;
    void (*derive)(const al_panels_job *job, size_t p);
} al_panel_step;

/* Runs the steps: panel by panel where a panel of all pictures fits in L2 and no ranks are waited for, or else each
 * step for all panels, picture by picture. */
void al_panels_run(const al_panels_job *job, const al_panel_step *steps, size_t n);

/* Takes what every pass needs; the filters are packed. */
al_panels_job al_panels_take(const al_run *run, const al_expanded *c);

/* Numbers of panel p that exist, as whole vectors: what is beyond them is never read. */
size_t al_panel_lanes(const al_panels_job *job, size_t p);

/* Panel p of picture b of an expanded tensor of `pixels` pixels a picture. */
float *al_panel_of(const al_panels_job *job, float *base, size_t pixels, size_t p, size_t b);

al_norm_act al_panel_norm(const al_panels_job *job, const al_norm_state *state, align_activation act, size_t p);

/* The convolution of panel p; in and out are left to fill in. */
al_depthwise al_panel_filter(const al_panels_job *job, size_t p);

/* Rows of what is filtered that are worked on together, so that they stay in a cache from one step to the next. */
size_t al_panel_band(const al_expanded *c);

/*
 * What is filtered: act(norm(e)), or x where nothing is expanded. Of `input`, which is that of the whole picture, the
 * first `filled` rows are there; fills in those that outputs before row `next` reach and returns how many there are.
 */
size_t al_panel_fill(const al_panels_job *job, size_t p, size_t b, size_t filled, size_t next, float *input);

/* The sums that pictures leave in job->partial: picture b's; panel p of all added up, in their order. */
double *al_panel_partial(const al_panels_job *job, size_t b);
void al_panel_merge(const al_panels_job *job, size_t p, double *sums);
#endif
