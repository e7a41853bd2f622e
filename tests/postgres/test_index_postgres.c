/* test_index_postgres.c: an index on a server does what every index does. */
#include "search/index_cases.h"

static char store[512];

static const char *fresh_store(void)
{
    static int number;
    snprintf(store, sizeof store, "%s#index_%d", getenv("ALIGN_TEST_SERVER"), number++);
    return store;
}

int main(void)
{
    const struct CMUnitTest tests[] = {INDEX_CASES};
    if (!getenv("ALIGN_TEST_SERVER"))
        return 77; /* started without tests/postgres/server.sh */
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
