#ifndef AL_MPI_H
#define AL_MPI_H
/*
 * mpi.h: ranks that are processes of an MPI job. This is a library of its own, libalign-mpi.so, which ranks.c opens
 * when a process is told to join others: nobody else needs MPI to be there, nor waits for it to be loaded.
 */
#include "layers/collective.h"

#define AL_MPI_LIBRARY "libalign-mpi.so"
#define AL_MPI_JOIN    "al_mpi_join"
#define AL_MPI_LEAVE   "al_mpi_leave"

typedef align_status (*al_mpi_join_function)(const al_collective **out, align_error *err);
typedef void (*al_mpi_leave_function)(const al_collective *ranks);

/* Starts MPI unless the process has; leaving ends it again then. To be called from one thread, as all else. */
ALIGN_API align_status al_mpi_join(const al_collective **out, align_error *err);
ALIGN_API void al_mpi_leave(const al_collective *ranks);
#endif
