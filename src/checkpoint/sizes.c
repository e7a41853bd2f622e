/* sizes.c: "5GB" and the like. */
#include "base/status.h"

#include <align/tensor.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t bytes;
} units[] = {
    {"", 1},
    {"b", 1},
    {"kb", INT64_C(1000)},
    {"mb", INT64_C(1000000)},
    {"gb", INT64_C(1000000000)},
    {"tb", INT64_C(1000000000000)},
    {"kib", INT64_C(1) << 10},
    {"mib", INT64_C(1) << 20},
    {"gib", INT64_C(1) << 30},
    {"tib", INT64_C(1) << 40},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

/* The unit's bytes, whatever its letters' case; 0 for none of them. Blanks may follow. */
static int64_t find_unit(const char *text)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t n = 0;
        while (units[i].name[n] && (text[n] == units[i].name[n] || text[n] + 32 == units[i].name[n]))
            n++;
        if (!units[i].name[n] && !*skip_blanks(text + n))
            return units[i].bytes;
    }
    return 0;
}

align_status align_parse_size(int64_t *out, const char *text, align_error *err)
{
    enum { FRACTION_DIGITS = 15 };
    align_status status = ALIGN_OK;
    int64_t whole = 0, fraction = 0, scale = 1, bytes;
    if (!text)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "size: none given");
    const char *p = skip_blanks(text);
    const bool has_digits = is_digit(*p);
    for (; is_digit(*p); p++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *p - '0', &whole))
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "size \"%s\" is too large", text);
    if (has_digits && *p == '.')
        for (int n = 0; is_digit(*++p); n++)
            if (n < FRACTION_DIGITS) {
                fraction = fraction * 10 + (*p - '0');
                scale *= 10;
            }
    const int64_t unit = has_digits ? find_unit(skip_blanks(p)) : 0;
    if (!unit)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "size \"%s\": expected a number and a unit, such as 5GB or 100MiB",
             text);
    const int64_t rest = (int64_t)((double)fraction / (double)scale * (double)unit);
    if (__builtin_mul_overflow(whole, unit, &bytes) || __builtin_add_overflow(bytes, rest, &bytes))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "size \"%s\" is too large", text);
    *out = bytes;
done:
    return status;
}
