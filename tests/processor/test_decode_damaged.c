/* test_decode_damaged.c: what is not a whole picture is refused: cut short anywhere, changed anywhere, too large, of an
 * unknown kind, or without memory to decode it. Under a sanitizer this is also the proof that no byte is read twice. */
#include "base/memory.h"
#include "processor/exif.h"
#include "processor/picture_test.h"

#define SMALL_LIMIT 100000 /* pixels; damage must not make the tests slow */

/* Resizing on the way takes another way through JPEG: smaller than any picture here, so that fast_decode matters. */
static bool resizing;

static align_status decode(align_image *image, const void *bytes, size_t size, align_error *err)
{
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    config.size_height = 3;
    config.size_width = 2;
    config.resample = ALIGN_BILINEAR;
    options.max_pixels = SMALL_LIMIT;
    options.resize_for = resizing ? &config : NULL;
    options.fast_decode = resizing;
    return align_image_decode(image, bytes, size, "damaged", &options, err);
}

static bool has_suffix(const char *name, const char *suffix)
{
    const size_t n = strlen(name), m = strlen(suffix);
    return n >= m && strcmp(name + n - m, suffix) == 0;
}

/* A GIF's first frame may be whole before the file ends; then it is the picture. Nothing else may pass. */
static void check_cut_short(const expected_picture *e, const char *path)
{
    const file_bytes file = read_file(path);
    for (size_t size = 0; size < file.size; size++) {
        uint8_t *part = malloc(size + !size);
        assert_non_null(part);
        memcpy(part, file.data, size);
        align_image image;
        align_error err = ALIGN_ERROR_INIT;
        const align_status status = decode(&image, part, size, &err);
        if (status == ALIGN_OK) {
            if (!has_suffix(e->name, ".gif") || (!resizing && image_crc(&image) != e->upright_crc))
                fail_msg("%s: decoded although cut to %zu of %zu bytes", e->name, size, file.size);
            align_image_done(&image);
        } else {
            assert_int_equal(status, ALIGN_ERROR_FORMAT);
            assert_null(image.pixels);
            assert_non_null(strstr(err.message, "damaged"));
        }
        free(part);
    }
    free(file.data);
}

static void test_cut_short(void **state)
{
    (void)state;
    for_each_picture(check_cut_short);
}

/* Whatever a changed byte does, the answer is a picture within the limit or an error. */
static void check_changed(const expected_picture *e, const char *path)
{
    file_bytes file = read_file(path);
    for (size_t at = 0; at < file.size; at++) {
        const uint8_t kept = file.data[at], flips[] = {0xff, (uint8_t)(1u << at % 8)};
        for (size_t i = 0; i < sizeof flips; i++) {
            file.data[at] = kept ^ flips[i];
            align_image image;
            align_error err = ALIGN_ERROR_INIT;
            if (decode(&image, file.data, file.size, &err) == ALIGN_OK) {
                if (image.height * image.width > SMALL_LIMIT || image.channels != 3)
                    fail_msg("%s: byte %zu changed: %ld x %ld", e->name, at, (long)image.height, (long)image.width);
                (void)image_crc(&image); /* reads every pixel */
                align_image_done(&image);
            } else {
                assert_null(image.pixels);
                assert_true(err.message[0] != '\0');
            }
        }
        file.data[at] = kept;
    }
    free(file.data);
}

static void test_changed(void **state)
{
    (void)state;
    for_each_picture(check_changed);
}

static void assert_refused(const void *bytes, size_t size, align_status expected, const char *words)
{
    align_image image;
    align_error err = ALIGN_ERROR_INIT;
    const align_status status = align_image_decode(&image, bytes, size, "bad", NULL, &err);
    if (status != expected || !strstr(err.message, words))
        fail_msg("status %d (%s), expected %d with \"%s\"", (int)status, err.message, (int)expected, words);
    assert_null(image.pixels);
}

static void test_not_pictures(void **state)
{
    (void)state;
    assert_refused("", 0, ALIGN_ERROR_FORMAT, "empty file");
    assert_refused("hello, world, this is text", 26, ALIGN_ERROR_FORMAT, "not a picture");
    assert_refused("BM\x36\0\0\0\0\0\0\0", 10, ALIGN_ERROR_UNSUPPORTED, "BMP");
    assert_refused("II*\0\10\0\0\0", 8, ALIGN_ERROR_UNSUPPORTED, "TIFF");
    assert_refused("\0\0\0\x1c"
                   "ftypavif",
                   12, ALIGN_ERROR_UNSUPPORTED, "AVIF");
    assert_refused("\0\0\0\x1c"
                   "ftypheic",
                   12, ALIGN_ERROR_UNSUPPORTED, "HEIF");
    assert_refused("GIF89a", 6, ALIGN_ERROR_FORMAT, "GIF");
    assert_refused("GIF89a\1\0\1\0\0\0\0;", 14, ALIGN_ERROR_FORMAT, "no frame");
    assert_refused("RIFF\4\0\0\0WEBP", 12, ALIGN_ERROR_FORMAT, "WebP");
    assert_refused("\xff\xd8\xff\xd9", 4, ALIGN_ERROR_FORMAT, "JPEG");
    assert_refused("\x89PNG\r\n\x1a\n", 8, ALIGN_ERROR_FORMAT, "truncated");
}

/* Writes value at an offset of a picture's file and expects a refusal. */
static void assert_refused_with(const char *name, size_t at, const char *bytes, size_t count, align_status expected,
                                const char *words)
{
    char path[512];
    snprintf(path, sizeof path, PROCESSOR_DATA "pictures/%s", name);
    file_bytes file = read_file(path);
    assert_true(at + count <= file.size);
    memcpy(file.data + at, bytes, count);
    assert_refused(file.data, file.size, expected, words);
    free(file.data);
}

static size_t find(const char *name, const char *bytes, size_t count)
{
    char path[512];
    snprintf(path, sizeof path, PROCESSOR_DATA "pictures/%s", name);
    const file_bytes file = read_file(path);
    size_t at = 0;
    while (at + count <= file.size && memcmp(file.data + at, bytes, count) != 0)
        at++;
    assert_true(at + count <= file.size);
    free(file.data);
    return at;
}

/* Sizes that no machine has the memory for: the header alone must decide. */
static void test_too_large(void **state)
{
    (void)state;
    /* PNG: 100000 x 100000 with the right checksum. */
    assert_refused("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\x86\xa0\0\1\x86\xa0\10\2\0\0\0\x27\x30\x9c\x9f"
                   "\0\0\0\1IDAT\0\0\0\0\0",
                   46, ALIGN_ERROR_INVALID_ARGUMENT, "100000 x 100000");
    const size_t frame = find("420.jpg", "\xff\xc0", 2);
    assert_refused_with("420.jpg", frame + 5, "\xea\x60\xea\x60", 4, ALIGN_ERROR_INVALID_ARGUMENT, "60000 x 60000");
    assert_refused_with("plain.gif", 6, "\xff\xff\xff\xff", 4, ALIGN_ERROR_INVALID_ARGUMENT, "65535 x 65535");
    const size_t lossless = find("lossless.webp", "VP8L", 4);
    assert_refused_with("lossless.webp", lossless + 9, "\xff\xff\xff\x0f", 4, ALIGN_ERROR_INVALID_ARGUMENT,
                        "16384 x 16384");
}

static void test_limit_is_exact(void **state)
{
    (void)state;
    align_image image;
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    const char *path = PROCESSOR_DATA "pictures/420.jpg"; /* 11 x 17 */
    options.max_pixels = 11 * 17;
    assert_int_equal(align_image_open(&image, path, &options, NULL), ALIGN_OK);
    align_image_done(&image);
    options.max_pixels--;
    assert_int_equal(align_image_open(&image, path, &options, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
}

static void test_damage_with_a_name(void **state)
{
    (void)state;
    assert_refused_with("rgb8.png", 16, "\0\0\0\x12", 4, ALIGN_ERROR_FORMAT, "IHDR"); /* width, so a bad checksum */
    assert_refused_with("rgb8.png", find("rgb8.png", "IDAT", 4) + 20, "\0\0\0\0", 4, ALIGN_ERROR_FORMAT, "PNG");
    assert_refused_with("exif5.png", find("exif5.png", "eXIf", 4) + 20, "\7", 1, ALIGN_ERROR_FORMAT, "eXIf");
    assert_refused_with("palette4.png", find("palette4.png", "PLTE", 4), "puTx", 4, ALIGN_ERROR_FORMAT, "PNG");
    const size_t frame = find("420.jpg", "\xff\xc0", 2), scan = find("420.jpg", "\xff\xda", 2);
    assert_refused_with("420.jpg", frame + 4, "\14", 1, ALIGN_ERROR_UNSUPPORTED, "JPEG"); /* 12 bits a sample */
    assert_refused_with("420.jpg", scan + 20, "\xff\xd9", 2, ALIGN_ERROR_FORMAT, "JPEG"); /* ends in its middle */
    const size_t data = find("plain.gif", ",", 1) + 10; /* the size of a pixel, then a block: its length, 3-bit codes */
    assert_refused_with("plain.gif", data + 2, "\xff", 1, ALIGN_ERROR_FORMAT, "damaged after 0 of 20");
    assert_refused_with("plain.gif", data + 2, "\x2c", 1, ALIGN_ERROR_FORMAT, "ends after 0 of 20");
    assert_refused_with("offset.gif", find("offset.gif", ",", 1) + 5, "\0\0", 2, ALIGN_ERROR_FORMAT, "empty");
}

static int exif_orientation(const uint8_t *data, size_t size)
{
    al_exif exif = AL_EXIF_INIT;
    al_exif_read(&exif, data, size);
    return exif.orientation;
}

static int raw_profile_orientation(const char *text)
{
    al_exif exif = AL_EXIF_INIT;
    al_raw_profile_read(&exif, (const uint8_t *)text, strlen(text));
    return exif.orientation;
}

/* Blocks cut anywhere, offsets and counts that lie, and noise: any answer from 0 to 8 will do. */
static void test_damaged_exif(void **state)
{
    (void)state;
    static const uint8_t block[] = "MM\0*\0\0\0\10\0\2\1\0\0\4\0\0\0\1\0\0\0\7\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0";
    assert_int_equal(exif_orientation(block, sizeof block - 1), 6);
    for (size_t size = 0; size < sizeof block; size++) {
        uint8_t *part = malloc(size + !size);
        assert_non_null(part);
        memcpy(part, block, size);
        const int orientation = exif_orientation(part, size);
        assert_int_equal(orientation, size < 34 ? 0 : 6); /* the entry ends at 34 */
        for (size_t at = 0; at < size; at++) {
            const uint8_t kept = part[at];
            part[at] = 0xff;
            assert_in_range(exif_orientation(part, size), 0, 8);
            part[at] = kept;
        }
        free(part);
    }
    for (unsigned seed = 0; seed < 200; seed++) {
        uint8_t *bytes = noise(seed, 64);
        memcpy(bytes, seed % 2 ? "II*\0" : "MM\0*", 4);
        assert_in_range(exif_orientation(bytes, 64), 0, 8);
        assert_in_range(al_xmp_orientation(bytes, 64), 0, 8);
        free(bytes);
    }
    assert_int_equal(al_xmp_orientation((const uint8_t *)"tiff:Orientation=\"", 18), 0);
    assert_int_equal(al_xmp_orientation((const uint8_t *)"tiff:Orientation=\"x tiff:Orientation>3", 38), 3);
    assert_int_equal(raw_profile_orientation("\nexif\n"), 0);
    assert_int_equal(raw_profile_orientation("\nexif\n 8\nnot hex\n"), 0);
}

/* Every allocation in turn fails: an error and nothing leaked, until none is left to fail. */
static void check_without_memory(const expected_picture *e, const char *path)
{
    const file_bytes file = read_file(path);
    for (long n = 1;; n++) {
        align_image image;
        align_error err = ALIGN_ERROR_INIT;
        al_memory_fail_at(n);
        const align_status status = decode(&image, file.data, file.size, &err);
        al_memory_fail_at(0);
        if (status == ALIGN_OK) {
            assert_true(resizing || image_crc(&image) == e->upright_crc);
            align_image_done(&image);
            break;
        }
        if (status != ALIGN_ERROR_OUT_OF_MEMORY)
            fail_msg("%s: allocation %ld failed: %s", e->name, n, err.message);
        assert_null(image.pixels);
    }
    free(file.data);
}

static void test_without_memory(void **state)
{
    (void)state;
    for_each_picture(check_without_memory);
}

static int start_resizing(void **state)
{
    (void)state;
    resizing = true;
    return 0;
}

static int stop_resizing(void **state)
{
    (void)state;
    resizing = false;
    return 0;
}

#define RESIZING(test) cmocka_unit_test_setup_teardown(test, start_resizing, stop_resizing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RESIZING(test_cut_short),
        RESIZING(test_changed),
        RESIZING(test_without_memory),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_not_pictures),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_limit_is_exact),
        cmocka_unit_test(test_damage_with_a_name),
        cmocka_unit_test(test_damaged_exif),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
