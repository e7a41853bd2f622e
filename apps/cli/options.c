/*
 * options.c: command lines from a table of options. "--name value" and "--name=value" are the same; "--" ends the
 * options; a lone "-" is an argument. The same table prints --help, and tests hold the man pages against that.
 */
#include "cli.h"
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define HELP_INDENT 28
#define HELP_WIDTH  80

int cli_usage_error(const cli_command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("align: ", stderr);
    if (command)
        fprintf(stderr, "%s: ", command->name);
    vfprintf(stderr, format, args);
    va_end(args);
    if (command)
        fprintf(stderr, "\nSee 'align %s --help'.\n", command->name);
    else
        fputs("\nSee 'align --help'.\n", stderr);
    return CLI_USAGE;
}

/* ---- names that resemble each other ---- */

#define LONGEST_NAME 31

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance; both at most LONGEST_NAME bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t row[LONGEST_NAME + 1];
    size_t n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t above = row[j + 1];
            row[j + 1] = min3(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
            diagonal = above;
        }
    }
    return row[n];
}

const char *cli_nearest(const char *word, const char *const *names, size_t n)
{
    size_t length = strlen(word);
    const char *best = NULL;
    size_t best_distance = 3; /* further away is not a typing mistake */
    for (size_t i = 0; i < n && length <= LONGEST_NAME; i++) {
        bool begins = length >= 3 && strncmp(word, names[i], length) == 0;
        size_t d = begins ? 0 : distance(word, names[i]);
        if (d < best_distance && d < length) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

/* ---- help ---- */

/* Prints words, breaking lines where they fit and not where they were; `column` is where the cursor stands. */
static void print_wrapped(const char *text, size_t column, size_t indent)
{
    for (const char *word = text; *word;) {
        size_t length = strcspn(word, " \n");
        if (column > indent && column + 1 + length > HELP_WIDTH) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (word != text) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)length, word);
        column += length;
        word += length;
        word += strspn(word, " \n");
    }
    putchar('\n');
}

static void print_option(const cli_option *option)
{
    const char *argument = option->argument ? option->argument : "";
    int column = option->kind == CLI_MAYBE ? printf("  --%s[=%s]", option->name, argument)
                                           : printf("  --%s%s%s%s", option->name, *argument ? " " : "", argument,
                                                    option->kind == CLI_MANY ? "..." : "");
    if (column > HELP_INDENT - 2) {
        putchar('\n');
        column = 0;
    }
    printf("%*s", HELP_INDENT - column, "");
    print_wrapped(option->help, HELP_INDENT, HELP_INDENT);
}

static void print_help(const cli_command *command, const cli_option *options, size_t n)
{
    static const cli_option help = {CLI_FLAG, "help", NULL, NULL, 0, "this text"};
    printf("usage: align %s %s\n\n", command->name, command->arguments);
    print_wrapped(command->description, 0, 0);
    puts("\noptions:");
    for (size_t i = 0; i < n; i++)
        print_option(&options[i]);
    print_option(&help);
    printf("\nexamples:\n%s", command->examples);
}

/* ---- parsing ---- */

typedef struct parser {
    const cli_command *command;
    const cli_option *options;
    size_t n_options;
    int argc;
    char **argv;
    int next; /* argument to look at */
} parser;

static const cli_option *find_option(const parser *p, const char *name, size_t length)
{
    for (size_t i = 0; i < p->n_options; i++)
        if (strlen(p->options[i].name) == length && strncmp(p->options[i].name, name, length) == 0)
            return &p->options[i];
    return NULL;
}

static int unknown_option(const parser *p, const char *argument)
{
    if (strncmp(argument, "--", 2) != 0)
        return cli_usage_error(p->command, "there is no option '%s' ('--' before arguments that begin with a dash)",
                               argument);
    size_t length = strcspn(argument + 2, "=");
    char *word = cli_format("%.*s", (int)length, argument + 2);
    const char **names = cli_alloc(p->n_options, sizeof *names);
    for (size_t i = 0; i < p->n_options; i++)
        names[i] = p->options[i].name;
    const char *meant = cli_nearest(word, names, p->n_options);
    int code = meant ? cli_usage_error(p->command, "there is no option '--%s': did you mean '--%s'?", word, meant)
                     : cli_usage_error(p->command, "there is no option '--%s'", word);
    free(names);
    free(word);
    return code;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (const char *word = choices;; word += strcspn(word, "|") + 1) {
        if (strcspn(word, "|") == length && strncmp(word, value, length) == 0)
            return true;
        if (!strchr(word, '|'))
            return false;
    }
}

static bool parse_int(int64_t *out, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || (text[0] != '-' && (text[0] < '0' || text[0] > '9')))
        return false;
    *out = value;
    return true;
}

/* Digits, a point, an exponent; no hexadecimals, infinities or NaN. */
static bool parse_real(double *out, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= -DBL_MAX && value <= DBL_MAX) || strpbrk(text, "xXpPnN \t"))
        return false;
    *out = value;
    return true;
}

static int set_value(const parser *p, const cli_option *option, const char *value)
{
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)option->value = true;
        break;
    case CLI_TEXT:
        *(const char **)option->value = value;
        break;
    case CLI_CHOICE:
    case CLI_MAYBE:
        if (!is_choice(option->argument, value))
            return cli_usage_error(p->command, "--%s is one of %s, not '%s'", option->name, option->argument, value);
        *(const char **)option->value = value;
        break;
    case CLI_INT: {
        int64_t number;
        if (!parse_int(&number, value) || number < option->least || number > INT32_MAX)
            return cli_usage_error(p->command, "--%s takes a whole number of at least %" PRId64 ", not '%s'",
                                   option->name, option->least, value);
        *(int64_t *)option->value = number;
        break;
    }
    case CLI_REAL:
        if (!parse_real(option->value, value) || *(double *)option->value < (double)option->least)
            return cli_usage_error(p->command, "--%s takes a number of at least %" PRId64 ", not '%s'", option->name,
                                   option->least, value);
        break;
    case CLI_LIST:
    case CLI_MANY:
        cli_list_add(option->value, value);
        break;
    }
    return CLI_PROCEED;
}

/* The next argument is a value unless it is one of this command's own options. */
static const char *take_value(parser *p)
{
    if (p->next >= p->argc)
        return NULL;
    const char *argument = p->argv[p->next];
    if (strncmp(argument, "--", 2) == 0) {
        const char *name = argument + 2;
        if (*name == '\0' || find_option(p, name, strcspn(name, "=")))
            return NULL;
    }
    p->next++;
    return argument;
}

static int parse_option(parser *p)
{
    const char *argument = p->argv[p->next++];
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    const cli_option *option = NULL;
    if (strncmp(argument, "--", 2) == 0)
        option = find_option(p, name, strcspn(name, "="));
    if (!option)
        return unknown_option(p, argument);
    if (option->kind == CLI_FLAG) {
        if (equals)
            return cli_usage_error(p->command, "--%s takes no value", option->name);
        return set_value(p, option, NULL);
    }
    if (option->kind == CLI_MAYBE && !equals) {
        *(const char **)option->value = "";
        return CLI_PROCEED;
    }
    const char *value = equals ? equals + 1 : take_value(p);
    if (!value)
        return cli_usage_error(p->command, "--%s needs a value: --%s %s", option->name, option->name, option->argument);
    int code = set_value(p, option, value);
    while (code == CLI_PROCEED && option->kind == CLI_MANY && p->next < p->argc &&
           (p->argv[p->next][0] != '-' || p->argv[p->next][1] == '\0'))
        code = set_value(p, option, p->argv[p->next++]);
    return code;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int cli_parse(const cli_command *command, const cli_option *options, size_t n_options, int argc, char **argv,
              cli_list *positional)
{
    if (asks_for_help(argc, argv)) {
        print_help(command, options, n_options);
        return CLI_DONE;
    }
    parser p = {command, options, n_options, argc, argv, 0};
    bool ended = false; /* "--" was seen */
    while (p.next < argc) {
        const char *argument = argv[p.next];
        if (ended || argument[0] != '-' || argument[1] == '\0') {
            cli_list_add(positional, argument);
            p.next++;
        } else if (strcmp(argument, "--") == 0) {
            ended = true;
            p.next++;
        } else {
            int code = parse_option(&p);
            if (code != CLI_PROCEED)
                return code;
        }
    }
    return CLI_PROCEED;
}
