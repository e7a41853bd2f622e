/* test_image_info.c: what files say about their pictures: sizes, orientation, when they were taken. */
#include "base/memory.h"
#include "processor/exif.h"
#include "processor/picture_test.h"

#include <limits.h>

static void check_size(const expected_picture *e, const char *path)
{
    const file_bytes file = read_file(path);
    align_error err = ALIGN_ERROR_INIT;
    align_image_info info;
    if (align_image_get_info(&info, file.data, file.size, path, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    if (info.height != e->upright_height || info.width != e->upright_width)
        fail_msg("%s: %ld x %ld, expected %ld x %ld", e->name, (long)info.height, (long)info.width, e->upright_height,
                 e->upright_width);
    free(file.data);
}

static void test_sizes(void **state)
{
    (void)state;
    for_each_picture(check_size);
}

static void test_orientations(void **state)
{
    static const struct {
        const char *name;
        int orientation;
    } cases[] = {
        {"exif6.jpg", 6}, {"exif5.png", 5}, {"exif6.webp", 6}, {"exif8_after.png", 8}, {"raw_profile7.png", 7},
        {"xmp4.webp", 4}, {"xmp8.jpg", 8},  {"420.jpg", 0},    {"plain.gif", 0},       {"exif9.jpg", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        snprintf(path, sizeof path, PROCESSOR_DATA "pictures/%s", cases[i].name);
        const file_bytes file = read_file(path);
        align_image_info info;
        assert_int_equal(align_image_get_info(&info, file.data, file.size, path, NULL), ALIGN_OK);
        if (info.orientation != cases[i].orientation)
            fail_msg("%s: orientation %d, expected %d", cases[i].name, info.orientation, cases[i].orientation);
        assert_true(info.taken == INT64_MIN && !info.zone_known);
        free(file.data);
    }
}

/* Nothing is decoded: pixels may be missing, and no size is too large. */
static void test_header_alone(void **state)
{
    static const char *const names[] = {"420.jpg", "lossy.webp", "plain.gif"};
    (void)state;
    file_bytes png = read_file(PROCESSOR_DATA "pictures/rgb8.png");
    align_image_info info;
    memcpy(png.data + 16, "\x7f\xff\xff\xff", 4);
    const uint32_t crc = crc32_of(png.data + 12, 17);
    for (int i = 0; i < 4; i++)
        png.data[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
    assert_int_equal(align_image_get_info(&info, png.data, png.size, NULL, NULL), ALIGN_OK);
    assert_true(info.width == INT32_MAX);
    free(png.data);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        align_error err = ALIGN_ERROR_INIT;
        snprintf(path, sizeof path, PROCESSOR_DATA "pictures/%s", names[i]);
        const file_bytes file = read_file(path);
        for (size_t size = 0; size < file.size; size++) {
            uint8_t *part = malloc(size + !size);
            assert_non_null(part);
            memcpy(part, file.data, size);
            if (align_image_get_info(&info, part, size, names[i], &err) != ALIGN_OK) {
                assert_int_equal(err.status, ALIGN_ERROR_FORMAT);
                assert_non_null(strstr(err.message, names[i]));
            }
            free(part);
        }
        free(file.data);
    }
}

static void test_refused(void **state)
{
    (void)state;
    align_image_info info;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_image_get_info(&info, "hello", 5, "x.jpg", &err), ALIGN_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "x.jpg: not a picture"));
    assert_int_equal(align_image_get_info(&info, "II*\0", 4, NULL, &err), ALIGN_ERROR_UNSUPPORTED);
    assert_int_equal(align_image_get_info(NULL, "hello", 5, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_image_get_info(&info, NULL, 5, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
}

static void check_without_memory(const expected_picture *e, const char *path)
{
    const file_bytes file = read_file(path);
    for (long n = 1;; n++) {
        align_image_info info;
        al_memory_fail_at(n);
        const align_status status = align_image_get_info(&info, file.data, file.size, path, NULL);
        al_memory_fail_at(0);
        if (status == ALIGN_OK) {
            assert_int_equal(info.width, e->upright_width);
            break;
        }
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
    }
    free(file.data);
}

static void test_without_memory(void **state)
{
    (void)state;
    for_each_picture(check_without_memory);
}

/* ---- times ---- */

enum { EXPOSURE = 26, ENTRIES = EXPOSURE + 2, VALUES = 80, BLOCK = 200 };

/* A block in both byte orders whose exposure has up to four texts. */
typedef struct text {
    uint32_t tag;
    const char *value;
} text;

static void put(uint8_t *at, uint32_t value, size_t size, bool big)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> 8 * (big ? size - 1 - i : i));
}

static void put_entry(uint8_t *at, uint32_t tag, uint32_t type, uint32_t count, uint32_t value, bool big)
{
    put(at, tag, 2, big);
    put(at + 2, type, 2, big);
    put(at + 4, count, 4, big);
    put(at + 8, value, 4, big);
}

static void make_block(uint8_t *block, const text *texts, size_t n, bool big)
{
    memset(block, 0, BLOCK);
    memcpy(block, big ? "MM\0*" : "II*\0", 4);
    put(block + 4, 8, 4, big);
    put(block + 8, 1, 2, big);
    put_entry(block + 10, 0x8769, 4, 1, EXPOSURE, big);
    put(block + EXPOSURE, (uint32_t)n, 2, big);
    size_t at = VALUES;
    for (size_t i = 0; i < n; i++) {
        const size_t size = strlen(texts[i].value) + 1;
        put_entry(block + ENTRIES + 12 * i, texts[i].tag, 2, (uint32_t)size, (uint32_t)at, big);
        memcpy(block + at, texts[i].value, size);
        at += size;
    }
    assert_true(at <= BLOCK && ENTRIES + 12 * n <= VALUES);
}

static al_exif read_texts(const text *texts, size_t n, bool big)
{
    uint8_t block[BLOCK];
    al_exif exif = AL_EXIF_INIT;
    make_block(block, texts, n, big);
    al_exif_read(&exif, block, sizeof block);
    return exif;
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        int64_t taken;
    } cases[] = {
        {"1970:01:01 00:00:00", 0},
        {"2024:02:29 23:59:59", INT64_C(1709251199)},
        {"2000:03:01 00:00:00", INT64_C(951868800)},
        {"1969:12:31 23:59:59", -1},
        {"1900:01:01 12:00:00", INT64_C(-2208945600)},
        {"9999:12:31 23:59:60", INT64_C(253402300800)},
        {"0000:00:00 00:00:00", INT64_MIN},
        {"    :  :     :  :  ", INT64_MIN},
        {"2024:13:01 00:00:00", INT64_MIN},
        {"2024:04:31 00:00:00", INT64_MIN},
        {"2024:04:30 24:00:00", INT64_MIN},
        {"2024:04:30 23:60:00", INT64_MIN},
        {"2024-x4:30 23:59:00", INT64_MIN},
        {"2024:02:29 23:59", INT64_MIN}, /* too short to be a time */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int big = 0; big < 2; big++) {
            const text original = {0x9003, cases[i].text};
            const al_exif exif = read_texts(&original, 1, big);
            if (exif.taken != cases[i].taken)
                fail_msg("%s: %lld, expected %lld", cases[i].text, (long long)exif.taken, (long long)cases[i].taken);
            assert_false(exif.zone_known);
        }
}

static void test_zones(void **state)
{
    static const char *const time = "2024:02:29 12:00:00", *const later = "2024:03:01 12:00:00";
    const text both[] = {{0x9011, "+05:30"}, {0x9004, later}, {0x9003, time}, {0x9012, "-01:00"}};
    const text scanned[] = {{0x9003, "0000:00:00 00:00:00"}, {0x9004, later}, {0x9012, "-01:00"}};
    const text general[] = {{0x9010, "-08:00"}, {0x9003, time}};
    const text nonsense[] = {{0x9003, time}, {0x9011, "   :  "}};
    const text alone[] = {{0x9011, "+01:00"}};
    (void)state;
    al_exif exif = read_texts(both, 4, true);
    assert_true(exif.taken == INT64_C(1709208000) && exif.zone_known && exif.zone_east == 19800);
    exif = read_texts(scanned, 3, false);
    assert_true(exif.taken == INT64_C(1709294400) && exif.zone_known && exif.zone_east == -3600);
    exif = read_texts(general, 2, false);
    assert_true(exif.taken == INT64_C(1709208000) && exif.zone_known && exif.zone_east == -28800);
    exif = read_texts(nonsense, 2, false);
    assert_true(exif.taken == INT64_C(1709208000) && !exif.zone_known);
    exif = read_texts(alone, 1, false);
    assert_true(exif.taken == INT64_MIN && !exif.zone_known);
}

/* Blocks cut anywhere, offsets and counts that lie: a time of these years or none. */
static void test_damaged_times(void **state)
{
    const text texts[] = {{0x9003, "2024:02:29 12:00:00"}, {0x9011, "+05:30"}};
    (void)state;
    uint8_t block[BLOCK];
    make_block(block, texts, 2, false);
    for (size_t size = 0; size <= BLOCK; size++) {
        uint8_t *part = malloc(size + !size);
        assert_non_null(part);
        memcpy(part, block, size);
        for (size_t at = 0; at <= size; at++) {
            const uint8_t kept = at < size ? part[at] : 0;
            if (at < size)
                part[at] ^= 0xff;
            al_exif exif = AL_EXIF_INIT;
            al_exif_read(&exif, part, size);
            assert_true(exif.taken == INT64_MIN || exif.taken > 0);
            if (at < size)
                part[at] = kept;
        }
        free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),         cmocka_unit_test(test_orientations),
        cmocka_unit_test(test_header_alone),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_times),         cmocka_unit_test(test_zones),
        cmocka_unit_test(test_damaged_times), cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
