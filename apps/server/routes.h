#ifndef ALIGN_SERVER_ROUTES_H
#define ALIGN_SERVER_ROUTES_H
/*
 * routes.h: everything that the server answers, in one table. To add a route: two functions, a row, and what it takes
 * and gives in openapi.json, which a test holds against the table.
 */
#include "request.h"

extern const srv_route srv_routes[];
extern const size_t srv_n_routes;

/* The route; NULL, with its methods in *allow, where the path has others, and with NULL there where it is unknown. */
const srv_route *srv_route_find(const char *method, const char *path, const char **allow);

/* Makes the part of the path that the route has in braces, "/v1/pictures/{id}", an argument of that name. False without
 * memory. */
bool srv_route_read_path(srv_request *request, const char *path);

/* The problem of those who search where no index is served. */
bool srv_refuse_without_index(srv_request *request);

/* Members of an answer that several routes give: "model":"..." and "usage":{...}. */
void srv_write_model(srv_request *request);
void srv_write_usage(srv_request *request);

bool srv_embeddings_begin(srv_request *request);
void srv_embeddings_finish(srv_request *request);
bool srv_classify_begin(srv_request *request);
void srv_classify_finish(srv_request *request);
bool srv_similarity_begin(srv_request *request);
void srv_similarity_finish(srv_request *request);
bool srv_search_begin(srv_request *request);
void srv_search_finish(srv_request *request);
bool srv_thumbnail_begin(srv_request *request);
bool srv_picture_begin(srv_request *request);
#endif
