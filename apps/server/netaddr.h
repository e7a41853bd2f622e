#ifndef ALIGN_SERVER_NETADDR_H
#define ALIGN_SERVER_NETADDR_H
/*
 * netaddr.h: which addresses belong to the whole internet, and to nobody's own network.
 */
#include <stdbool.h>
#include <sys/socket.h>

/* False for every address that leads, or could be made to lead, to this machine, its network, or whoever runs it. */
bool srv_address_is_public(const struct sockaddr *address);
#endif
