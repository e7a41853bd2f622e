/*
 * All 1,112,064 code points against checksums that the reference made (tests/reference/make_tokenizer.py), and UTF-8.
 */
#include "processor/normalizer.h"
#include "processor/unicode.h"
#include "processor/wordpiece.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PAGES 4352

/* zlib's crc32, continued from an earlier one. */
static uint32_t crc32_more(uint32_t before, const char *data, size_t size)
{
    uint32_t crc = ~before;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

/* clean_text, handle_chinese_chars, strip_accents, lowercase; the last one changes nothing. */
static const al_normalizer normalizers[] = {{true, true, true, true},   {true, false, false, false},
                                            {false, true, false, true}, {true, false, true, false},
                                            {false, false, true, true}, {false, false, false, false}};
#define VARIANTS (sizeof normalizers / sizeof *normalizers - 1)

/* What the normalizers and the words of "x<code point>y" come to, as the script writes it. */
static uint32_t checksum(uint32_t crc, uint32_t code, const al_wordpiece *words, al_normalized *n, al_pieces *pieces)
{
    char text[8] = "x", seen[256];
    size_t size = 1 + al_utf8_encode(code, text + 1), used = 0;
    text[size++] = 'y';
    for (size_t v = 0; v < VARIANTS; v++) {
        assert_int_equal(al_normalize(normalizers + v, text, size, 0, n, NULL), ALIGN_OK);
        memcpy(seen + used, n->text, n->size);
        used += n->size;
        seen[used++] = '\n';
    }
    pieces->count = 0;
    assert_int_equal(al_normalize(normalizers + VARIANTS, text, size, 0, n, NULL), ALIGN_OK);
    assert_int_equal(al_wordpiece_run(words, n, 0, n->size, pieces, NULL), ALIGN_OK);
    for (size_t i = 0; i < pieces->count; i++)
        used += (size_t)snprintf(seen + used, sizeof seen - used, "%s%u-%u", i ? "\n" : "", pieces->items[i].start,
                                 pieces->items[i].end);
    return crc32_more(crc, seen, used);
}

static void all_code_points(void **state)
{
    (void)state;
    al_wordpiece words = {.max_chars = 100}; /* no vocabulary: every word is unknown, whole */
    al_normalized n = {0};
    al_pieces pieces = {0};
    FILE *file = fopen(TEST_DATA "/processor/tokenizer/unicode_pages.txt", "r");
    assert_non_null(file);
    for (uint32_t page = 0; page < PAGES; page++) {
        unsigned expected;
        uint32_t crc = 0;
        assert_int_equal(fscanf(file, "%x", &expected), 1);
        for (uint32_t code = page * 256; code < page * 256 + 256; code++)
            if (code != 0 && (code < 0xD800 || code > 0xDFFF))
                crc = checksum(crc, code, &words, &n, &pieces);
        if (crc != expected)
            fail_msg("U+%04X to U+%04X differ from the reference", page * 256, page * 256 + 255);
    }
    fclose(file);
    al_normalized_done(&n);
    al_free(pieces.items);
}

static void round_trip(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char bytes[4];
        uint32_t back;
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        const size_t size = al_utf8_encode(code, bytes);
        assert_int_equal(al_utf8_check(bytes, size), size);
        assert_int_equal(al_utf8_decode(bytes, &back), size);
        assert_int_equal(back, code);
        assert_int_equal(al_utf8_before(bytes + size), code);
        assert_int_equal(al_utf8_count(bytes, size), 1);
        for (size_t cut = 1; cut < size; cut++)
            assert_int_equal(al_utf8_check(bytes, cut), 0);
    }
}

static void invalid(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
        "\xC3",
        "\xC3(",
        "\xE2\x82",
        "\xE2(\xA1",
        "\xF0\x9F\x98",
        "\xF0\x9F(\x80",
        "\xE2\x82\xC3",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64];
        assert_int_equal(al_utf8_check(bad[i], strlen(bad[i])), 0);
        /* behind runs of valid text of any length: the check takes eight bytes at once */
        for (int before = 0; before < 20; before++) {
            const int size = snprintf(text, sizeof text, "%.*s%sabcdefgh", before, "aaaaaaaaaaaaaaaaaaaa", bad[i]);
            assert_int_equal(al_utf8_check(text, (size_t)size), before);
        }
    }
}

/* How the reference moves marks, but not where they came from. */
static void order_of_marks(void **state)
{
    (void)state;
    const al_normalizer keep_marks = {.strip_accents = true};
    al_normalized n = {0};
    const char text[] = "a\xCC\x81\xE3\x80\xAE\xF0\x9D\x85\xA5"
                        "b"; /* a U+0301 U+302E U+1D165 b */
    assert_int_equal(al_normalize(&keep_marks, text, sizeof text - 1, 10, &n, NULL), ALIGN_OK);
    /* classes 230 224 216 become 216 224 230, the last is dropped; positions stay 11, 12 */
    const char expected[] = "a\xF0\x9D\x85\xA5\xE3\x80\xAE"
                            "b";
    assert_int_equal(n.size, sizeof expected - 1);
    assert_memory_equal(n.text, expected, n.size);
    static const uint32_t sources[] = {10, 11, 11, 11, 11, 12, 12, 12, 14};
    assert_memory_equal(n.sources, sources, sizeof sources);
    al_normalized_done(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_code_points),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(invalid),
        cmocka_unit_test(order_of_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
