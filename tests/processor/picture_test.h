/* picture_test.h: what the picture tests share: noise, checksums, files. */
#ifndef PICTURE_TEST_H
#define PICTURE_TEST_H
#include <align/processor.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROCESSOR_DATA TEST_DATA "/processor/"

/* The bytes of tests/reference/make_pictures.py's noise(). */
static inline uint8_t *noise(unsigned seed, size_t size)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        uint32_t v = ((uint32_t)i + seed * UINT32_C(1000003)) * UINT32_C(2654435761);
        v ^= v >> 15;
        bytes[i] = (uint8_t)(v * UINT32_C(2246822519) >> 24);
    }
    return bytes;
}

static inline align_image noise_image(unsigned seed, int64_t height, int64_t width, int64_t channels)
{
    return (align_image){height, width, channels, noise(seed, (size_t)(height * width * channels))};
}

/* zlib's crc32. */
static inline uint32_t crc32_of(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

static inline uint32_t image_crc(const align_image *image)
{
    return crc32_of(image->pixels, (size_t)(image->height * image->width * image->channels));
}

/* A file in memory that ends where the allocation ends, so that a sanitizer sees reading past it. */
typedef struct file_bytes {
    uint8_t *data;
    size_t size;
} file_bytes;

static inline file_bytes read_file(const char *path)
{
    file_bytes file = {NULL, 0};
    FILE *in = fopen(path, "rb");
    if (!in)
        fail_msg("cannot open %s", path);
    fseek(in, 0, SEEK_END);
    file.size = (size_t)ftell(in);
    rewind(in);
    file.data = malloc(file.size + !file.size);
    assert_non_null(file.data);
    assert_int_equal(fread(file.data, 1, file.size, in), file.size);
    fclose(in);
    return file;
}

/* A line of pictures/expected.txt. */
typedef struct expected_picture {
    char name[64];
    long upright_height, upright_width, stored_height, stored_width;
    unsigned upright_crc, stored_crc;
} expected_picture;

typedef void picture_check(const expected_picture *expected, const char *path);

static inline void for_each_picture(picture_check *check)
{
    FILE *list = fopen(PROCESSOR_DATA "pictures/expected.txt", "r");
    assert_non_null(list);
    int count = 0;
    expected_picture e;
    while (fscanf(list, "%63s %ld %ld %x %ld %ld %x", e.name, &e.upright_height, &e.upright_width, &e.upright_crc,
                  &e.stored_height, &e.stored_width, &e.stored_crc) == 7) {
        char path[512];
        snprintf(path, sizeof path, PROCESSOR_DATA "pictures/%s", e.name);
        check(&e, path);
        count++;
    }
    assert_true(feof(list));
    assert_true(count > 70);
    fclose(list);
}
#endif
