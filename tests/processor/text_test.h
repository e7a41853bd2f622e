/* text_test.h: what the text tests share: goldens, a scratch folder, trees. Include it behind cmocka.h. */
#ifndef TEXT_TEST_H
#define TEXT_TEST_H
#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/json.h"

#include <align/processor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_DATA TEST_DATA "/processor/tokenizer"

static char scratch[] = "/tmp/align-test-text-XXXXXX";

static inline int scratch_open(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

/* Removes what a test may have written. */
static inline void scratch_empty(void)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                        "added_tokens.json", "vocab.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = al_join_path(scratch, names[i]);
        unlink(path);
        al_free(path);
    }
}

static inline int scratch_close(void **state)
{
    (void)state;
    scratch_empty();
    return rmdir(scratch);
}

static inline void scratch_write(const char *name, const char *text)
{
    char *path = al_join_path(scratch, name);
    assert_int_equal(al_file_write(path, text, strlen(text), NULL), ALIGN_OK);
    al_free(path);
}

static inline json_t *golden_json(const char *folder, const char *name)
{
    char path[512];
    align_error err = ALIGN_ERROR_INIT;
    json_t *tree;
    snprintf(path, sizeof path, TEXT_DATA "/%s/%s", folder, name);
    if (al_json_load(&tree, path, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return tree;
}

static inline align_tokenizer *open_tokenizer(const char *folder)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tokenizer *tokenizer;
    if (align_tokenizer_from_pretrained(&tokenizer, folder, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return tokenizer;
}

static inline align_tokenizer *open_golden(const char *folder)
{
    char path[512];
    snprintf(path, sizeof path, TEXT_DATA "/%s", folder);
    return open_tokenizer(path);
}
#endif
