/* utf8.c: see utf8.h. */
#include "base/utf8.h"

bool al_is_utf8(const char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)text, *const end = s + size;
    while (s < end) {
        if (*s >= 0x01 && *s <= 0x7F) {
            s++;
            continue;
        }
        const int n = *s >= 0xC2 && *s <= 0xDF ? 2 : (*s & 0xF0) == 0xE0 ? 3 : *s >= 0xF0 && *s <= 0xF4 ? 4 : 0;
        if (n == 0 || end - s < n)
            return false;
        for (int i = 1; i < n; i++)
            if ((s[i] & 0xC0) != 0x80)
                return false;
        const bool overlong = (*s == 0xE0 && s[1] < 0xA0) || (*s == 0xF0 && s[1] < 0x90);
        const bool surrogate = *s == 0xED && s[1] > 0x9F, beyond = *s == 0xF4 && s[1] > 0x8F;
        if (overlong || surrogate || beyond)
            return false;
        s += n;
    }
    return true;
}
