/*
 * search_dates.c: dates as people write them, in local time. A date is a stretch of time, as long as what is not said.
 */
#include "search.h"
#include <string.h>
#include <time.h>

/* Takes n digits; -1 where there are fewer. */
static int take_digits(const char **text, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        char c = (*text)[i];
        if (c < '0' || c > '9')
            return -1;
        value = 10 * value + (c - '0');
    }
    *text += n;
    return value;
}

/* Takes one of the marks and two digits behind it, if text goes on with it; false where these do not follow or are not
 * in range. */
static bool take_field(const char **text, const char *marks, int least, int most, int *value, bool *taken)
{
    *taken = **text != '\0' && strchr(marks, **text) != NULL;
    if (!*taken)
        return true;
    (*text)++;
    *value = take_digits(text, 2);
    return *value >= least && *value <= most;
}

bool cli_parse_date(const char *text, int64_t *from, int64_t *until)
{
    struct tm first = {.tm_mday = 1, .tm_isdst = -1};
    int month = 1, day = 1, hour = 0, minute = 0, second = 0;
    bool has_month, has_day = false, has_hour = false, has_minute = false, has_second = false;
    int year = take_digits(&text, 4);
    if (year < 0 || !take_field(&text, "-", 1, 12, &month, &has_month) ||
        (has_month && !take_field(&text, "-", 1, 31, &day, &has_day)) ||
        (has_day && !take_field(&text, "T ", 0, 23, &hour, &has_hour)) ||
        (has_hour && !(take_field(&text, ":", 0, 59, &minute, &has_minute) && has_minute)) ||
        (has_minute && !take_field(&text, ":", 0, 60, &second, &has_second)) || *text)
        return false;
    first.tm_year = year - 1900;
    first.tm_mon = month - 1;
    first.tm_mday = day;
    first.tm_hour = hour;
    first.tm_min = minute;
    first.tm_sec = second;
    struct tm next = first;
    next.tm_year += !has_month;
    next.tm_mon += has_month && !has_day;
    next.tm_mday += has_day && !has_hour;
    next.tm_min += has_minute && !has_second;
    next.tm_sec += has_second;
    *from = (int64_t)mktime(&first);
    *until = (int64_t)mktime(&next);
    return first.tm_mon == month - 1; /* there is no 30th of February: mktime made it a day of March */
}
