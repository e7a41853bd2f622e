/*
 * training.c: times steps of training from inside, for train.py:
 *
 *     bench_training DIR PAIRS STEPS THREADS f32|bf16 MEMORY [SLICE]
 *
 * Takes the model and the first pairs of inputs.safetensors in DIR. First the loss of one step without dropout, to be
 * compared with others'; then STEPS steps of AdamW with the config's dropout, each timed. MEMORY: bytes that the
 * workspace may take, 0 for as many as it likes. Prints JSON.
 */
#include "model/align_train.h"
#include "train/optimizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct arguments {
    const char *folder;
    int64_t pairs;
    size_t memory, slice;
    int steps, threads;
    align_precision precision;
} arguments;

#define MOST_STEPS 1000

static double now_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void check(align_status status, const align_error *err)
{
    if (status == ALIGN_OK)
        return;
    fprintf(stderr, "bench_training: %s\n", err->message);
    exit(1);
}

static arguments read_arguments(int argc, char **argv)
{
    if (argc < 7 || argc > 8) {
        fputs("usage: bench_training DIR PAIRS STEPS THREADS f32|bf16 MEMORY [SLICE]\n", stderr);
        exit(2);
    }
    arguments a = {.folder = argv[1], .pairs = atoll(argv[2]), .steps = atoi(argv[3]), .threads = atoi(argv[4])};
    a.precision = strcmp(argv[5], "bf16") == 0 ? ALIGN_PRECISION_BF16 : ALIGN_PRECISION_F32;
    a.steps = a.steps > MOST_STEPS ? MOST_STEPS : a.steps;
    a.memory = (size_t)atoll(argv[6]);
    a.slice = argc > 7 ? (size_t)atoll(argv[7]) : 0;
    return a;
}

/* The first rows of a tensor of the file. */
static align_tensor rows_of(const align_tensors *file, const char *name, int64_t rows)
{
    const align_tensor *all = align_tensors_get(file, name);
    if (!all || all->shape[0] < rows) {
        fprintf(stderr, "bench_training: inputs.safetensors: fewer than %" PRId64 " rows of %s\n", rows, name);
        exit(1);
    }
    align_tensor some = *all;
    some.shape[0] = rows;
    return some;
}

/* The model's weights alone stay. */
static al_trainable *open_trainable(const char *folder)
{
    align_error err = ALIGN_ERROR_INIT;
    align_model *model;
    al_trainable *trainable;
    check(align_model_from_pretrained(&model, folder, NULL, &err), &err);
    check(al_trainable_new(&trainable, model, &err), &err);
    align_model_free(model);
    return trainable;
}

static void print_list(const char *name, const double *values, int n)
{
    printf(", \"%s\": [", name);
    for (int i = 0; i < n; i++)
        printf("%s%.1f", i ? ", " : "", values[i]);
    printf("]");
}

static void time_steps(const arguments *a, al_trainable *trainable, al_threads *threads, const align_inputs *inputs)
{
    align_error err = ALIGN_ERROR_INIT;
    align_train_options train = ALIGN_TRAIN_OPTIONS_INIT;
    al_step_options step = AL_STEP_OPTIONS_INIT;
    al_trainer *trainer;
    al_optimizer *optimizer;
    double loss;
    train.lr = 1e-5;
    step.precision = a->precision;
    step.memory = a->memory;
    step.slice = a->slice;
    check(al_trainer_new(&trainer, trainable, threads, &err), &err);
    check(al_optimizer_new(&optimizer, trainable, &train, threads, &err), &err);
    al_trainable_clear_gradient(trainable);
    check(al_trainer_step(trainer, inputs, &step, &loss, &err), &err);
    printf("{\"loss\": %.6f", loss);
    step.dropout = true;
    static double wall[MOST_STEPS], cpu[MOST_STEPS];
    for (int i = 0; i < a->steps; i++) {
        const double begin = now_ms(CLOCK_MONOTONIC), cpu_begin = now_ms(CLOCK_PROCESS_CPUTIME_ID);
        step.key = (uint64_t)i;
        al_trainable_clear_gradient(trainable);
        check(al_trainer_step(trainer, inputs, &step, &loss, &err), &err);
        al_optimizer_update(optimizer, 1.0, 1.0);
        wall[i] = now_ms(CLOCK_MONOTONIC) - begin;
        cpu[i] = now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin;
    }
    print_list("ms", wall, a->steps);
    print_list("cpu_ms", cpu, a->steps);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf(", \"peak_mb\": %ld, \"workspace_mb\": %zu}\n", usage.ru_maxrss / 1024, al_trainer_workspace(trainer) >> 20);
    al_optimizer_free(optimizer);
    al_trainer_free(trainer);
}

int main(int argc, char **argv)
{
    align_error err = ALIGN_ERROR_INIT;
    const arguments a = read_arguments(argc, argv);
    align_tensors *file;
    al_threads *threads;
    char path[4096];
    snprintf(path, sizeof path, "%s/inputs.safetensors", a.folder);
    check(align_tensors_open(&file, path, &err), &err);
    align_inputs inputs = ALIGN_INPUTS_INIT;
    inputs.input_ids = rows_of(file, "input_ids", a.pairs);
    inputs.attention_mask = rows_of(file, "attention_mask", a.pairs);
    inputs.pixel_values = rows_of(file, "pixel_values", a.pairs);
    al_trainable *trainable = open_trainable(a.folder);
    check(al_threads_new(&threads, a.threads, &err), &err);
    time_steps(&a, trainable, threads, &inputs);
    al_threads_free(threads);
    al_trainable_free(trainable);
    align_tensors_free(file);
    return 0;
}
