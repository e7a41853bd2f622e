/*
 * main.c: `align COMMAND`: finds the command, helps those who look for one, and sees that nothing written to stdout is
 * lost silently.
 */
#include "cli.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const cli_command *const commands[] = {
    &cli_classify, &cli_similarity, &cli_embed,   &cli_index,   &cli_search,  &cli_duplicates, &cli_serve,
    &cli_process,  &cli_decode,     &cli_forward, &cli_inspect, &cli_convert, &cli_train,      &cli_bench,
};

static void print_overview(FILE *out)
{
    fputs("usage: align COMMAND [options]\n"
          "\n"
          "ALIGN: pictures and texts in one space of vectors.\n"
          "\n"
          "commands:\n",
          out);
    for (size_t i = 0; i < CLI_COUNT(commands); i++)
        if (commands[i]->summary)
            fprintf(out, "  %-11s %s\n", commands[i]->name, commands[i]->summary);
    fputs("  help        help on a command: align help COMMAND\n"
          "\n"
          "options:\n"
          "  --help      this text; align COMMAND --help for one command\n"
          "  --version   version of the library\n",
          out);
}

static const cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < CLI_COUNT(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[CLI_COUNT(commands)];
    for (size_t i = 0; i < CLI_COUNT(commands); i++)
        names[i] = commands[i]->name;
    const char *meant = cli_nearest(name, names, CLI_COUNT(names));
    if (meant)
        return cli_usage_error(NULL, "there is no command '%s': did you mean '%s'?", name, meant);
    return cli_usage_error(NULL, "there is no command '%s'", name);
}

static int help(int argc, char **argv)
{
    if (argc > 1)
        return cli_usage_error(NULL, "help takes one command");
    if (argc == 0) {
        print_overview(stdout);
        return CLI_DONE;
    }
    const cli_command *command = find_command(argv[0]);
    if (!command)
        return unknown_command(argv[0]);
    char option[] = "--help";
    char *arguments[] = {option, NULL};
    return command->run(command, 1, arguments);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(0, NULL);
    if (strcmp(name, "--version") == 0) {
        printf("align %s\n", align_version());
        return CLI_DONE;
    }
    if (strcmp(name, "help") == 0)
        return help(argc - 2, argv + 2);
    if (name[0] == '-')
        return cli_usage_error(NULL, "a command comes first, found '%s'", name);
    const cli_command *command = find_command(name);
    return command ? command->run(command, argc - 2, argv + 2) : unknown_command(name);
}

/* Keeps files from landing on a closed standard stream: what is missing becomes /dev/null, read-only so that output
 * still fails as it would on a closed stream. */
static void hold_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
            return;
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is a failed write, not a death */
    return cli_finish(run(argc, argv));
}
