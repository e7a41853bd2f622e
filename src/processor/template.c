/* template.c: reading post_processor. */
#include "processor/template.h"

#include "base/memory.h"
#include "base/status.h"

#include <string.h>

/* An object inside another's array, for messages: "FILE: key single[2].id: ...". */
static align_status element(al_json_object *out, const al_json_object *parent, const char *key, size_t index,
                            const json_t *value, align_error *err)
{
    if (!json_is_object(value))
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: key %s%s[%zu]: expected an object", parent->file,
                            parent->path, key, index);
    *out = (al_json_object){.object = value, .file = parent->file};
    snprintf(out->path, sizeof out->path, "%.80s%s[%zu].", parent->path, key, index);
    return ALIGN_OK;
}

static align_status bad(const al_json_object *object, const char *key, const char *expected, align_error *err)
{
    return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: key %s%s: expected %s", object->file, object->path, key,
                        expected);
}

static align_status add(al_template *template, al_template_part part, align_error *err)
{
    al_template_part *parts = al_realloc(template->parts, (template->count + 1) * sizeof *parts);
    if (!parts)
        return al_error_no_memory(err, (template->count + 1) * sizeof *parts);
    template->parts = parts;
    parts[template->count++] = part;
    template->added += part.kind == AL_TEMPLATE_SPECIAL;
    return ALIGN_OK;
}

static align_status load_type_id(const al_json_object *piece, uint32_t *type_id, align_error *err)
{
    int64_t value = -1;
    const align_status status = al_json_int64(piece, "type_id", &value, err);
    if (status != ALIGN_OK)
        return status;
    if (value < 0 || value > UINT32_MAX)
        return bad(piece, "type_id", "an integer from 0 to 4294967295", err);
    *type_id = (uint32_t)value;
    return ALIGN_OK;
}

/* {"SpecialToken": {"id": name, "type_id": n}}: all ids that special_tokens lists under that name. */
static align_status add_special(al_template *template, const al_json_object *piece, const al_json_object *specials,
                                align_error *err)
{
    align_status status = ALIGN_OK;
    const char *name = NULL;
    const json_t *ids = NULL;
    al_json_object special = {0};
    al_template_part part = {.kind = AL_TEMPLATE_SPECIAL};
    TRY(al_json_string(piece, "id", &name, err));
    TRY(load_type_id(piece, &part.type_id, err));
    if (!name)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %sid is missing", piece->file, piece->path);
    TRY(al_json_child(specials, name, &special, err));
    if (!special.object)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s%s is missing, but %sid names it", specials->file, specials->path,
             name, piece->path);
    TRY(al_json_array(&special, "ids", &ids, err));
    if (!ids)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %sids is missing", special.file, special.path);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > UINT32_MAX) {
            status = bad(&special, "ids", "integers from 0 to 4294967295", err);
            goto done;
        }
        part.id = (uint32_t)json_integer_value(id);
        TRY(add(template, part, err));
    }
done:
    return status;
}

/* {"Sequence": {"id": "A" or "B", "type_id": n}} */
static align_status add_sequence(al_template *template, const al_json_object *piece, align_error *err)
{
    align_status status = ALIGN_OK;
    const char *name = "";
    al_template_part part = {0};
    TRY(al_json_string(piece, "id", &name, err));
    TRY(load_type_id(piece, &part.type_id, err));
    if (strcmp(name, "A") != 0 && strcmp(name, "B") != 0) {
        status = bad(piece, "id", "\"A\" or \"B\"", err);
        goto done;
    }
    part.kind = *name == 'A' ? AL_TEMPLATE_A : AL_TEMPLATE_B;
    TRY(add(template, part, err));
done:
    return status;
}

static size_t count_kind(const al_template *template, al_template_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < template->count; i++)
        count += template->parts[i].kind == kind;
    return count;
}

static align_status load_template(al_template *template, const al_json_object *post, const char *key, bool pair,
                                  align_error *err)
{
    align_status status = ALIGN_OK;
    const json_t *pieces = NULL;
    al_json_object specials = {0};
    TRY(al_json_array(post, key, &pieces, err));
    TRY(al_json_child(post, "special_tokens", &specials, err));
    if (!pieces || !specials.object)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s%s is missing", post->file, post->path,
             pieces ? "special_tokens" : key);
    for (size_t i = 0; i < json_array_size(pieces); i++) {
        al_json_object holder, piece = {0};
        TRY(element(&holder, post, key, i, json_array_get(pieces, i), err));
        TRY(al_json_child(&holder, "SpecialToken", &piece, err));
        if (piece.object) {
            TRY(add_special(template, &piece, &specials, err));
            continue;
        }
        TRY(al_json_child(&holder, "Sequence", &piece, err));
        if (!piece.object)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s%s[%zu]: expected \"SpecialToken\" or \"Sequence\"", post->file,
                 post->path, key, i);
        TRY(add_sequence(template, &piece, err));
    }
    if (count_kind(template, AL_TEMPLATE_A) != 1 || count_kind(template, AL_TEMPLATE_B) != (size_t)pair)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: key %s%s: expected %s, each once", post->file, post->path, key,
             pair ? "the sequences A and B" : "the sequence A alone");
done:
    return status;
}

/* BertProcessing's "sep": ["[SEP]", 102]. */
static align_status load_bert_id(const al_json_object *post, const char *key, uint32_t *id, align_error *err)
{
    align_status status = ALIGN_OK;
    const json_t *two = NULL;
    TRY(al_json_array(post, key, &two, err));
    const json_t *value = json_array_get(two, 1);
    if (json_array_size(two) != 2 || !json_is_string(json_array_get(two, 0)) || !json_is_integer(value) ||
        json_integer_value(value) < 0 || json_integer_value(value) > UINT32_MAX) {
        status = bad(post, key, "a token and its id", err);
        goto done;
    }
    *id = (uint32_t)json_integer_value(value);
done:
    return status;
}

static align_status load_bert(al_template *single, al_template *pair, const al_json_object *post, align_error *err)
{
    align_status status = ALIGN_OK;
    uint32_t cls, sep;
    TRY(load_bert_id(post, "cls", &cls, err));
    TRY(load_bert_id(post, "sep", &sep, err));
    const al_template_part parts[] = {{AL_TEMPLATE_SPECIAL, cls, 0},
                                      {AL_TEMPLATE_A, 0, 0},
                                      {AL_TEMPLATE_SPECIAL, sep, 0},
                                      {AL_TEMPLATE_B, 0, 1},
                                      {AL_TEMPLATE_SPECIAL, sep, 1}};
    for (size_t i = 0; i < 3; i++)
        TRY(add(single, parts[i], err));
    for (size_t i = 0; i < 5; i++)
        TRY(add(pair, parts[i], err));
done:
    return status;
}

align_status al_templates_load(al_template *single, al_template *pair, const al_json_object *post, align_error *err)
{
    align_status status = ALIGN_OK;
    const char *type = "";
    TRY(al_json_string(post, "type", &type, err));
    if (strcmp(type, "BertProcessing") == 0) {
        TRY(load_bert(single, pair, post, err));
    } else if (strcmp(type, "TemplateProcessing") == 0) {
        TRY(load_template(single, post, "single", false, err));
        TRY(load_template(pair, post, "pair", true, err));
    } else {
        FAIL(err, ALIGN_ERROR_UNSUPPORTED,
             "%s: key %stype: expected \"TemplateProcessing\" or \"BertProcessing\", found \"%s\"", post->file,
             post->path, type);
    }
done:
    return status;
}

void al_template_done(al_template *template)
{
    al_free(template->parts);
    *template = (al_template){0};
}

align_status al_template_for_bert(json_t **out, const char *cls, uint32_t cls_id, const char *sep, uint32_t sep_id,
                                  align_error *err)
{
    json_error_t error;
    *out = json_pack_ex(&error, 0,
                        "{s:s, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}],"
                        "s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}]}",
                        "type", "TemplateProcessing", "single",          //
                        "SpecialToken", "id", cls, "type_id", 0,         //
                        "Sequence", "id", "A", "type_id", 0,             //
                        "SpecialToken", "id", sep, "type_id", 0, "pair", //
                        "SpecialToken", "id", cls, "type_id", 0,         //
                        "Sequence", "id", "A", "type_id", 0,             //
                        "SpecialToken", "id", sep, "type_id", 0,         //
                        "Sequence", "id", "B", "type_id", 1,             //
                        "SpecialToken", "id", sep, "type_id", 1);
    /* The reference keeps them in a sorted map. */
    json_t *specials = json_object();
    const bool cls_first = strcmp(cls, sep) < 0;
    const char *names[2] = {cls_first ? cls : sep, cls_first ? sep : cls};
    const uint32_t ids[2] = {cls_first ? cls_id : sep_id, cls_first ? sep_id : cls_id};
    bool ok = *out && specials;
    for (int i = 0; ok && i < 2; i++) {
        json_t *special =
            json_pack("{s:s, s:[I], s:[s]}", "id", names[i], "ids", (json_int_t)ids[i], "tokens", names[i]);
        ok = json_object_set_new(specials, names[i], special) == 0;
    }
    ok = ok && json_object_set(*out, "special_tokens", specials) == 0;
    json_decref(specials);
    if (!ok) {
        json_decref(*out);
        *out = NULL;
        return al_error_no_memory(err, 0);
    }
    return ALIGN_OK;
}
