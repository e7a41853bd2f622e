/*
 * read_shards.c: pairs from webdataset's tar files. The members whose names are alike up to the first dot of their last
 * part, and stand next to each other, are one sample: KEY.jpg and KEY.txt, or KEY.json with a caption in it.
 *
 * A shard is read once for its headers and captions; of a picture only the place is kept.
 */
#include "base/memory.h"
#include "base/status.h"
#include "train/dataset.h"
#include "train/tar.h"

#include <string.h>
#include <strings.h>

/* Bytes of a member. */
typedef struct part {
    bool there;
    size_t offset, size;
} part;

typedef struct sample {
    al_buffer key, picture_name; /* each with its NUL */
    part picture, text, json;
} sample;

typedef struct shard {
    al_builder *builder;
    const char *path;
    size_t path_string;
    al_map map;
    sample sample;
} shard;

static bool is_one_of(const char *extension, const char *const *list)
{
    for (; *list; list++)
        if (strcasecmp(extension, *list) == 0)
            return true;
    return false;
}

/* Splits a name: the key's length; behind it a dot and the extension. 0: not a member of a sample. */
static size_t key_length(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name, *dot = strchr(base, '.');
    return dot && dot > base && strncmp(base, "__", 2) != 0 ? (size_t)(dot - name) : 0;
}

static const char *text_at(const shard *s, const part *p)
{
    return (const char *)s->map.data + p->offset;
}

static align_status finish_sample(shard *s, align_error *err)
{
    align_status status = ALIGN_OK;
    sample *m = &s->sample;
    size_t pair;
    char *name = NULL;
    TRY(al_buffer_check(&m->key, err));
    TRY(al_buffer_check(&m->picture_name, err));
    if (m->key.size == 0)
        goto done;
    name = al_format("%s: %s", s->path, m->key.data);
    if (!name) {
        status = al_error_no_memory(err, m->key.size);
        goto done;
    }
    const al_source source = {name, NULL, 0};
    if (!m->picture.there) {
        TRY(al_builder_skip(s->builder, &source, err, "no picture: expected .jpg, .jpeg, .png, .webp or .gif"));
        goto done;
    }
    TRY(al_builder_part(s->builder, s->path_string, m->picture_name.data, m->picture.offset, m->picture.size, &pair,
                        err));
    if (m->text.there)
        TRY(al_builder_text(s->builder, pair, &source, text_at(s, &m->text), m->text.size, err));
    else if (m->json.there)
        TRY(al_read_caption_json(s->builder, pair, &source, text_at(s, &m->json), m->json.size, err));
done:
    al_free(name);
    m->key.size = m->picture_name.size = 0;
    m->picture = m->text = m->json = (part){0};
    return status;
}

static align_status add_member(shard *s, const al_tar_member *member, align_error *err)
{
    static const char *const pictures[] = {"jpg", "jpeg", "png", "webp", "gif", NULL};
    align_status status = ALIGN_OK;
    sample *m = &s->sample;
    const char *name = member->name;
    const size_t length = key_length(name);
    if (length == 0)
        return ALIGN_OK;
    if (m->key.size != length + 1 || memcmp(m->key.data, name, length) != 0) {
        TRY(finish_sample(s, err));
        al_buffer_put(&m->key, name, length);
        al_buffer_putc(&m->key, '\0');
    }
    const part found = {true, member->offset, member->size};
    const char *extension = name + length + 1;
    if (!m->picture.there && is_one_of(extension, pictures)) {
        m->picture = found;
        al_buffer_put(&m->picture_name, name, strlen(name) + 1);
    } else if (strcasecmp(extension, "txt") == 0)
        m->text = found;
    else if (strcasecmp(extension, "json") == 0)
        m->json = found;
done:
    return status;
}

static align_status read_members(shard *s, align_error *err)
{
    align_status status = ALIGN_OK;
    al_tar tar = {.file = s->path, .data = s->map.data, .size = s->map.size};
    if (tar.size >= 2 && memcmp(tar.data, "\x1f\x8b", 2) == 0)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: compressed by gzip; unpack it to a plain tar file", s->path);
    if (tar.size == 0)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: an empty file, expected a tar file", s->path);
    for (;;) {
        al_tar_member member;
        bool found;
        TRY(al_tar_next(&tar, &member, &found, err));
        if (!found)
            break;
        TRY(add_member(s, &member, err));
    }
done:
    al_tar_done(&tar);
    return status;
}

/* A damaged shard ends where it is damaged, if that is wanted. */
static align_status read_what_is_whole(shard *s, align_error *err)
{
    align_error damage = ALIGN_ERROR_INIT;
    const align_status status = read_members(s, &damage);
    if (status == ALIGN_ERROR_FORMAT && s->builder->options->despite_damage)
        return al_skips_add(&s->builder->damages, s->path, damage.message, err);
    if (status != ALIGN_OK && err)
        *err = damage;
    return status;
}

static align_status read_shard(al_builder *b, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    shard s = {.builder = b, .path = path};
    TRY(al_map_open(&s.map, path, err));
    TRY(al_builder_string(b, path, &s.path_string, err));
    TRY(read_what_is_whole(&s, err));
    TRY(finish_sample(&s, err));
done:
    al_buffer_done(&s.sample.key);
    al_buffer_done(&s.sample.picture_name);
    al_map_close(&s.map);
    return status;
}

align_status al_read_shards(al_builder *b, const char *pattern, align_error *err)
{
    align_status status = ALIGN_OK;
    al_paths shards;
    TRY(al_shards_find(&shards, pattern, err));
    for (size_t i = 0; i < shards.count && status == ALIGN_OK; i++)
        status = read_shard(b, shards.items[i], err);
    al_paths_done(&shards);
done:
    return status;
}
