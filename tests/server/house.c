/*
 * house.c: a server for tests.
 */
#include "house.h"
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void house_prepare(house *h)
{
    static const char *const names[] = {"emoji", "text-embedding-3-small"};
    align_context_options one = ALIGN_CONTEXT_OPTIONS_INIT;
    one.threads = 1;
    memset(h, 0, sizeof *h);
    assert_int_equal(align_processor_from_pretrained(&h->processor, MODELS "/emoji", NULL), ALIGN_OK);
    assert_int_equal(align_model_from_pretrained(&h->model, MODELS "/emoji", NULL, NULL), ALIGN_OK);
    assert_int_equal(align_context_new(&h->context, h->model, &one, NULL), ALIGN_OK);
    h->service = (srv_service){.model = h->model,
                               .processor = h->processor,
                               .metrics = &h->metrics,
                               .names = names,
                               .n_names = 2,
                               .max_inputs = 64,
                               .deadline = 600};
    h->engine = (srv_engine_options){.workers = 3,
                                     .max_batch = {16, 4},
                                     .max_wait = 0.002,
                                     .max_jobs = 256,
                                     .cache_bytes = 1 << 20,
                                     .max_pixels = 1000000,
                                     .metrics = &h->metrics,
                                     .is_wanted = srv_request_wants,
                                     .done = srv_request_job_done};
    h->settings = (srv_settings){.host = "127.0.0.1",
                                 .checks_host = true,
                                 .max_body = 1 << 20,
                                 .max_held = 32 << 20,
                                 .max_connections = 200,
                                 .timeout = 600};
}

void house_open(house *h)
{
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(srv_engine_open(&h->service.engine, h->model, h->context, h->processor, &h->engine, &err),
                     ALIGN_OK);
    assert_int_equal(srv_server_start(&h->server, &h->service, &h->settings, &err), ALIGN_OK);
}

void house_close(house *h)
{
    srv_server_drain(&h->server);
    srv_engine_close(h->service.engine);
    house_release(h);
}

void house_release(house *h)
{
    align_context_free(h->context);
    align_model_free(h->model);
    align_processor_free(h->processor);
}

static void stand_in_the_way(srv_task *task)
{
    obstacle *o = (obstacle *)(void *)task;
    sem_post(&o->reached);
    while (sem_wait(&o->go_on) != 0)
        continue;
}

void block_workers(srv_engine *engine, obstacle *obstacles, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        obstacles[i].task.run = stand_in_the_way;
        sem_init(&obstacles[i].reached, 0, 0);
        sem_init(&obstacles[i].go_on, 0, 0);
        srv_engine_run(engine, &obstacles[i].task);
    }
    for (size_t i = 0; i < n; i++)
        while (sem_wait(&obstacles[i].reached) != 0)
            continue;
}

void unblock_workers(obstacle *obstacles, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sem_post(&obstacles[i].go_on);
}

char *demo_file(const char *name, size_t *size)
{
    char path[512];
    snprintf(path, sizeof path, MODELS "/demo/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

char *demo_base64(const char *name)
{
    size_t size;
    char *bytes = demo_file(name, &size);
    srv_text text = {0};
    srv_text_base64(&text, bytes, size);
    free(bytes);
    assert_false(text.failed);
    return text.bytes;
}
