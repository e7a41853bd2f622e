#ifndef ALIGN_SERVER_CALL_H
#define ALIGN_SERVER_CALL_H
/*
 * call.h: the functions that the HTTP library calls, with a srv_server for their closure.
 */
#include "server.h"
#include <microhttpd.h>

enum MHD_Result srv_call_handle(void *closure, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *data_size, void **state);
void srv_call_completed(void *closure, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode reason);
void srv_call_connection(void *closure, struct MHD_Connection *connection, void **socket_state,
                         enum MHD_ConnectionNotificationCode what);
void srv_call_wake(srv_request *request);
#endif
