#ifndef TESTS_SERVER_HOUSE_H
#define TESTS_SERVER_HOUSE_H
/*
 * house.h: a server in this process, with the model that ships, on a port of its own.
 */
#include "server.h"
#include <semaphore.h>

typedef struct house {
    align_processor *processor;
    align_model *model;
    align_context *context;
    srv_metrics metrics;
    srv_service service;
    srv_engine_options engine;
    srv_settings settings;
    srv_server server;
} house;

/* Loads the model and puts down options, which a test may change before it opens the server. */
void house_prepare(house *h);
void house_open(house *h);
void house_close(house *h);   /* drains the server, and releases everything */
void house_release(house *h); /* of a house whose server was never opened, or ended otherwise */

/* Holds up n workers of an engine, until they are told to go on. */
typedef struct obstacle {
    srv_task task;
    sem_t reached, go_on;
} obstacle;

void block_workers(srv_engine *engine, obstacle *obstacles, size_t n);
void unblock_workers(obstacle *obstacles, size_t n);

/* A file of the pictures in models/demo, as it is and as base64; to be freed. */
char *demo_file(const char *name, size_t *size);
char *demo_base64(const char *name);
#endif
