/* no_download.c: where libcurl is missing, nothing is fetched. */
#include "download.h"

bool srv_can_download(void)
{
    return false;
}

const char *srv_download(const char *url, const srv_download_rules *rules, const srv_download_client *client,
                         char **bytes, size_t *size)
{
    (void)url;
    (void)rules;
    (void)client;
    *bytes = NULL;
    *size = 0;
    return "pictures are not fetched from addresses here";
}
