/* postgres.c: an index on a server, through a library that is opened when it is asked for (postgres.h). */
#include "search/postgres.h"

#include "base/module.h"
#include "base/status.h"

align_status al_postgres_open(al_store **out, const char *where, const align_index_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    al_postgres_connect_function connect;
    void *module;
    TRY(al_module_open(&module, AL_POSTGRES_LIBRARY, false, "an index on a server needs libpq", err));
    TRY(al_module_find(module, AL_POSTGRES_LIBRARY, AL_POSTGRES_CONNECT, &connect, err));
    TRY(connect(out, where, options, err));
done:
    return status;
}
