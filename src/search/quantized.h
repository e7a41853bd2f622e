#ifndef AL_QUANTIZED_H
#define AL_QUANTIZED_H
/*
 * quantized.h: the vectors of an index once more in int8, so that half as much has to be read to tell which are worth
 * a look. They are made of the vectors, and made again where they are missing or damaged; nothing is lost with them.
 *
 * Several processes may make the same slots at once: they write the same bytes.
 */
#include "search/vectors.h"

typedef struct al_quantized {
    al_vectors steps, step;
} al_quantized;

#define AL_QUANTIZED_CLOSED ((al_quantized){AL_VECTORS_CLOSED, AL_VECTORS_CLOSED})

/*
 * The first slots of the vectors [slots, width] of an opened file, as al_scan wants them; those that are not there are
 * made where the file may be written. An error means that there are none now; the vectors serve as well.
 */
align_status al_quantized_view(al_quantized *quantized, const char *index, const al_vectors *of,
                               const uint16_t *vectors, int64_t slots, const int8_t **steps, const float **step,
                               align_error *err);
void al_quantized_close(al_quantized *quantized); /* a closed one is fine */
#endif
