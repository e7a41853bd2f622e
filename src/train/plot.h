#ifndef AL_PLOT_H
#define AL_PLOT_H
/*
 * plot.h: the loss of a run as a picture, SVG: the mean of neighbouring steps as a line, in the band between the least
 * and the largest of them.
 */
#include <align/error.h>
#include <stdint.h>

/* losses[i] is that of step i + 1. The file is written beside and renamed into place. */
align_status al_plot_save(const char *path, const float *losses, int64_t steps, align_error *err);
#endif
