/* ranks.c: joining the processes of an MPI job, through a library that is opened when it is asked for (mpi.h). */
#include "train/ranks.h"

#include "base/memory.h"
#include "base/module.h"
#include "base/status.h"
#include "model/argument.h"
#include "train/mpi.h"

struct align_ranks {
    const al_collective *collective;
    al_mpi_leave_function leave;
};

align_status align_ranks_join(align_ranks **out, align_error *err)
{
    align_status status = ALIGN_OK;
    al_mpi_join_function join;
    void *module;
    align_ranks *ranks = NULL;
    TRY(al_need(out, "ranks", err));
    *out = NULL;
    ranks = al_calloc(1, sizeof *ranks);
    if (!ranks) {
        status = al_error_no_memory(err, sizeof *ranks);
        goto done;
    }
    TRY(al_module_open(&module, AL_MPI_LIBRARY, true, "several processes need MPI", err)); /* MPI has plugins itself */
    TRY(al_module_find(module, AL_MPI_LIBRARY, AL_MPI_JOIN, &join, err));
    TRY(al_module_find(module, AL_MPI_LIBRARY, AL_MPI_LEAVE, &ranks->leave, err));
    TRY(join(&ranks->collective, err));
    *out = ranks;
    ranks = NULL;
done:
    al_free(ranks);
    return status;
}

/* The library stays open: MPI does not survive being taken away, nor can it be started twice. */
void align_ranks_leave(align_ranks *ranks)
{
    if (!ranks)
        return;
    ranks->leave(ranks->collective);
    al_free(ranks);
}

int align_ranks_rank(const align_ranks *ranks)
{
    return ranks ? ranks->collective->rank : 0;
}

int align_ranks_count(const align_ranks *ranks)
{
    return ranks ? ranks->collective->size : 1;
}

align_status align_ranks_agree(const align_ranks *ranks, align_status status, align_error *err)
{
    return al_agree(ranks ? ranks->collective : NULL, status, err);
}

const al_collective *al_ranks_collective(const align_ranks *ranks)
{
    return ranks && ranks->collective->size > 1 ? ranks->collective : NULL;
}
