/*
 * interrupt.c: commands that work for long end in order when a signal asks them to.
 */
#include "cli.h"
#include <signal.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}

/* Calls that wait are woken: no SA_RESTART. */
void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
