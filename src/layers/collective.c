/* collective.c: see collective.h. */
#include "layers/collective.h"

#include "base/status.h"

align_status al_agree(const al_collective *ranks, align_status status, align_error *err)
{
    align_error told = ALIGN_ERROR_INIT;
    if (!ranks)
        return status;
    const int failed = ranks->least(ranks->user, status == ALIGN_OK ? ranks->size : ranks->rank);
    if (failed == ranks->size)
        return ALIGN_OK;
    if (failed == ranks->rank) {
        if (err)
            told = *err;
        told.status = status;
    }
    ranks->tell(ranks->user, failed, &told, sizeof told);
    return al_error_set(err, told.status, "%s", told.message);
}

size_t al_share_begin(size_t rows, int rank, int ranks)
{
    return rows * (size_t)rank / (size_t)ranks;
}
