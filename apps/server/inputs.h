#ifndef ALIGN_SERVER_INPUTS_H
#define ALIGN_SERVER_INPUTS_H
/*
 * inputs.h: what routes read out of a request. Functions that give false have written the problem to the draft.
 *
 * A text is a string, or an array of token ids. A picture is its file in base64, with a data: address in front or
 * none, or an https address where the server fetches pictures. An item is one of the two, in any of the forms in which
 * servers of embeddings take them:
 *
 *     "text"   "data:image/png;base64,..."   [101, 4937, 102]
 *     {"text": ...}   {"image": ...}
 *     {"type": "text", "text": ...}   {"type": "image_url", "image_url": {"url": ...}}   {"content": [one of these]}
 */
#include "request.h"

/* Reads the body, which must be an object, to request->json. */
bool srv_read_json(srv_request *request);

/* The number of items in a field: those of an array, or one. Zero if it is absent, null or an empty array. */
size_t srv_count_items(const json_t *field);

/* The item of that number. */
const json_t *srv_get_item(const json_t *field, size_t i);

/* Makes room for n jobs and their embeddings; n must be from 1 to what a request may have. param names it. */
bool srv_make_jobs(srv_request *request, size_t n, const char *param);

/* What items of a field that could be both are. */
typedef enum srv_reading { SRV_AS_SEEMS, SRV_AS_TEXT, SRV_AS_PICTURE } srv_reading;

/* Makes jobs of all items of a field, the first being jobs[0]. The field's name must stay. */
bool srv_read_items(srv_request *request, srv_job *jobs, const json_t *field, const char *name, srv_reading reading);

/* A job of a text (zero-terminated) or of a picture's file that stays where it is; called list[place]. */
void srv_set_text(srv_request *request, srv_job *job, const char *text, const char *list, size_t place);
void srv_set_file(srv_request *request, srv_job *job, const char *bytes, size_t size, const char *list, size_t place);

/* "model", if given, must name the one that is served. */
bool srv_check_model(srv_request *request, const char *name);

/* Fields of a form, by their names, which may come several times: how many there are; jobs of all of them, the first
 * being jobs[0]; the first one's text, NULL if there is none; and a whole number, as srv_read_whole has it. */
size_t srv_count_fields(const srv_request *request, const char *name);
void srv_read_files(srv_request *request, srv_job *jobs, const char *name);
void srv_read_texts(srv_request *request, srv_job *jobs, const char *name);
const char *srv_get_field(const srv_request *request, const char *name);
bool srv_read_field_whole(srv_request *request, const char *name, int64_t least, int64_t most, int64_t *out);

/* Fields of request->json; what is absent or null leaves *out as it is. */
bool srv_read_whole(srv_request *request, const char *key, int64_t least, int64_t most, int64_t *out);
bool srv_read_flag(srv_request *request, const char *key, bool *out);
bool srv_read_string(srv_request *request, const char *key, const char **out);
#endif
