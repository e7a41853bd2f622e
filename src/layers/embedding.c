/* embedding.c: see embedding.h. */
#include "layers/embedding.h"

#include "base/tensor.h"
#include "layers/profile.h"

/* Rows are converted a stretch at a time on the stack: a row has no alignment in the file. */
#define STRETCH 256

typedef struct embedding_job {
    const al_kernels *kernels;
    const align_tensor *table;
    const int64_t *ids;
    bool add;
    float *y;
} embedding_job;

static void embedding_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const embedding_job *job = user;
    const size_t columns = (size_t)job->table->shape[1], size = align_dtype_size(job->table->dtype);
    float stretch[STRETCH];
    for (size_t i = begin; i < end; i++) {
        const char *row = (const char *)job->table->data + (size_t)job->ids[i] * columns * size;
        float *y = job->y + i * columns;
        if (!job->add) {
            al_to_f32(job->table->dtype, row, columns, y);
            continue;
        }
        for (size_t c = 0; c < columns; c += STRETCH) {
            const size_t n = columns - c < STRETCH ? columns - c : STRETCH;
            al_to_f32(job->table->dtype, row + c * size, n, stretch);
            job->kernels->add(n, stretch, y + c);
        }
    }
}

void al_embedding_forward(const al_run *run, const align_tensor *table, size_t n, const int64_t *ids, bool add,
                          float *y)
{
    if (run->dry)
        return;
    const size_t elements = n * (size_t)table->shape[1];
    al_profile_count(run, 0, elements * align_dtype_size(table->dtype), (add ? 2 : 1) * elements * sizeof *y);
    embedding_job job = {run->kernels, table, ids, add, y};
    al_threads_run(run->threads, n, 32, embedding_work, &job);
}

typedef struct backward_job {
    const al_kernels *kernels;
    size_t columns, n;
    const int64_t *ids;
    int64_t padding;
    const float *dy;
    float *gradient;
} backward_job;

/* Columns [begin, end) of all rows: an id may come more than once. */
static void backward_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const backward_job *job = user;
    for (size_t i = 0; i < job->n; i++)
        if (job->ids[i] != job->padding)
            job->kernels->add(end - begin, job->dy + i * job->columns + begin,
                              job->gradient + (size_t)job->ids[i] * job->columns + begin);
}

void al_embedding_backward(const al_run *run, size_t columns, size_t n, const int64_t *ids, int64_t padding,
                           const float *dy, float *gradient)
{
    if (run->dry)
        return;
    backward_job job = {run->kernels, columns, n, ids, padding, dy, gradient};
    al_threads_run(run->threads, columns, 256, backward_work, &job);
}
