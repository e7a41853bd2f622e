/*
 * index_report.c: what happened to the index: a line of JSON for every change, or a summary, and behind either what
 * could not be read.
 */
#include "index.h"
#include <inttypes.h>
#include <stdlib.h>

/* More are counted, not listed. */
#define MOST_PROBLEMS 1000

static const char *const event_names[] = {
    [INDEX_ADDED] = "added",     [INDEX_CHANGED] = "changed", [INDEX_MOVED] = "moved",
    [INDEX_TOUCHED] = "touched", [INDEX_REMOVED] = "removed",
};

void index_report_open(index_report *report, const cli_common *common)
{
    *report = (index_report){.common = common};
    pthread_mutex_init(&report->mutex, NULL);
}

void index_report_done(index_report *report)
{
    cli_strings_done(&report->problems);
    pthread_mutex_destroy(&report->mutex);
}

void index_report_event(index_report *report, index_event event, const align_item *item, const char *from)
{
    pthread_mutex_lock(&report->mutex);
    report->events[event]++;
    if (report->common->json) {
        json_t *line = json_pack("{s:s, s:I, s:o}", "event", event_names[event], "id", (json_int_t)item->id, "path",
                                 cli_json_text(item->path));
        if (item->member && *item->member)
            json_object_set_new(line, "member", cli_json_text(item->member));
        if (from)
            json_object_set_new(line, "from", cli_json_text(from));
        cli_print_json(line);
    }
    pthread_mutex_unlock(&report->mutex);
}

void index_report_problem(index_report *report, char *message)
{
    pthread_mutex_lock(&report->mutex);
    cli_strings_add(&report->problems, message);
    pthread_mutex_unlock(&report->mutex);
}

/* ---- the end ---- */

static void print_summary_json(const index_report *report, const align_index_info *info)
{
    const cli_strings *problems = &report->problems;
    json_t *list = json_array();
    for (size_t i = 0; i < problems->count; i++)
        json_array_append_new(list, cli_json_text(problems->items[i]));
    json_t *line = json_pack("{s:s, s:I}", "event", "indexed", "unchanged", (json_int_t)report->unchanged);
    for (int event = 0; event < INDEX_EVENTS; event++)
        json_object_set_new(line, event_names[event], json_integer((json_int_t)report->events[event]));
    json_object_set_new(line, "unreadable", list);
    json_object_set_new(line, "images", json_integer(info->images));
    json_object_set_new(line, "texts", json_integer(info->texts));
    json_object_set_new(line, "store", cli_json_text(info->where));
    cli_print_json(line);
}

static void print_summary(const index_report *report, const align_index_info *info)
{
    const char *separator = "";
    for (int event = 0; event < INDEX_EVENTS; event++)
        if (report->events[event] > 0 || event == INDEX_ADDED) {
            printf("%s%zu %s", separator, report->events[event], event_names[event]);
            separator = ", ";
        }
    printf(", %zu unchanged", report->unchanged);
    if (report->problems.count > 0)
        printf(", %zu unreadable", report->problems.count);
    printf("; now %" PRId64 " picture%s", info->images, info->images == 1 ? "" : "s");
    if (info->texts > 0)
        printf(" and %" PRId64 " text%s", info->texts, info->texts == 1 ? "" : "s");
    printf(" in %s\n", info->where);
}

void index_report_summary(index_report *report, align_index *index)
{
    align_index_info info;
    align_error err = ALIGN_ERROR_INIT;
    const cli_strings *problems = &report->problems;
    if (align_index_get_info(index, &info, &err) != ALIGN_OK)
        cli_fail("%s", err.message);
    else if (report->common->json)
        print_summary_json(report, &info);
    else
        print_summary(report, &info);
    for (size_t i = 0; i < problems->count && i < MOST_PROBLEMS; i++)
        cli_warn(report->common->quiet, "%s", problems->items[i]);
    if (problems->count > MOST_PROBLEMS)
        cli_warn(report->common->quiet, "and %zu more that could not be read", problems->count - MOST_PROBLEMS);
    fflush(stdout);
    cli_strings_done(&report->problems);
    report->unchanged = 0;
    for (int event = 0; event < INDEX_EVENTS; event++)
        report->events[event] = 0;
}
