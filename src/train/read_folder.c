/*
 * read_folder.c: pairs from a folder, and the folders in it: cat.jpg and beside it cat.txt, each line of which is a
 * text about the picture. In the order of names.
 */
#include "base/memory.h"
#include "base/status.h"
#include "train/dataset.h"

#include <string.h>

#define TEXT_LIMIT ((size_t)16 << 20)
#define DEEPEST    32 /* folders in folders; links may lead around in a circle */

/* "cat.txt" for "cat.jpg"; freed with al_free. */
static char *text_path(const char *picture)
{
    return al_format("%.*stxt", (int)(strrchr(picture, '.') + 1 - picture), picture);
}

static align_status add_lines(al_builder *b, size_t pair, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    char *text = NULL;
    size_t size;
    TRY(al_file_read(&text, &size, path, TEXT_LIMIT, err));
    const char *at = text, *const end = text + size;
    for (size_t line = 1; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        if (stop > at)
            TRY(al_builder_text(b, pair, &(al_source){path, "line", line}, at, (size_t)(stop - at), err));
        at = stop + 1;
    }
done:
    al_free(text);
    return status;
}

static align_status add_picture(al_builder *b, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t pair;
    char *text = text_path(path);
    if (!text)
        return al_error_no_memory(err, strlen(path));
    if (al_is_file(text)) {
        TRY(al_builder_file(b, path, &pair, err));
        TRY(add_lines(b, pair, text, err));
    } else {
        TRY(al_builder_skip(b, &(al_source){path, NULL, 0}, err, "no .txt is beside it"));
    }
done:
    al_free(text);
    return status;
}

static align_status read_folder(al_builder *b, const char *folder, int depth, align_error *err)
{
    align_status status = ALIGN_OK;
    al_paths names;
    char *path = NULL;
    TRY(al_folder_list(&names, folder, err));
    for (size_t i = 0; i < names.count; i++) {
        al_free(path);
        path = al_join_path(folder, names.items[i]);
        if (!path) {
            status = al_error_no_memory(err, strlen(folder));
            break;
        }
        if (al_is_folder(path) && depth < DEEPEST)
            status = read_folder(b, path, depth + 1, err);
        else if (al_is_picture_name(path) && al_is_file(path))
            status = add_picture(b, path, err);
        if (status != ALIGN_OK)
            break;
    }
    al_free(path);
    al_paths_done(&names);
done:
    return status;
}

align_status al_read_folder(al_builder *b, const char *path, align_error *err)
{
    b->folder = ""; /* paths begin with that of the folder */
    return read_folder(b, path, 0, err);
}
