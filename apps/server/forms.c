/*
 * forms.c: what routes read out of a form.
 */
#include "inputs.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The next field of that name from part on, or NULL. */
static srv_part *find_field(srv_part *part, const char *name)
{
    while (part && (part->is_argument || strcmp(part->name, name) != 0))
        part = part->next;
    return part;
}

size_t srv_count_fields(const srv_request *request, const char *name)
{
    size_t n = 0;
    for (srv_part *part = request->parts; (part = find_field(part, name)) != NULL; part = part->next)
        n++;
    return n;
}

void srv_read_files(srv_request *request, srv_job *jobs, const char *name)
{
    size_t n = 0;
    for (srv_part *part = request->parts; (part = find_field(part, name)) != NULL; part = part->next, n++)
        srv_set_file(request, &jobs[n], part->bytes, part->size, name, n);
}

void srv_read_texts(srv_request *request, srv_job *jobs, const char *name)
{
    size_t n = 0;
    for (srv_part *part = request->parts; (part = find_field(part, name)) != NULL; part = part->next, n++)
        srv_set_text(request, &jobs[n], part->bytes, name, n);
}

const char *srv_get_field(const srv_request *request, const char *name)
{
    const srv_part *part = find_field(request->parts, name);
    return part ? part->bytes : NULL;
}

bool srv_read_field_whole(srv_request *request, const char *name, int64_t least, int64_t most, int64_t *out)
{
    const char *text = srv_get_field(request, name);
    if (!text)
        return true;
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < least || value > most)
        return srv_refuse(request, 400, "invalid_value", name,
                          "%s is to be a whole number from %" PRId64 " to %" PRId64, name, least, most);
    *out = value;
    return true;
}
