/*
 * netaddr.c: the blocks of addresses that are not of the internet at large, as the registries of IANA for special
 * purposes have them (RFC 6890 and its successors).
 *
 * Of IPv6 only global unicast is let through, and of that not what carries an address of IPv4 inside (6to4, Teredo):
 * where such an address leads is decided by a router that is not ours. The mapped and translated forms of IPv4
 * (::ffff:0:0/96, 64:ff9b::/96) lie outside of global unicast.
 */
#include "netaddr.h"
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

typedef struct block {
    uint8_t bytes[16];
    int bits;
} block;

static const block refused_v4[] = {
    {{0}, 8},                 /* this network, and 0.0.0.0 */
    {{10}, 8},                /* private */
    {{100, 64}, 10},          /* behind a carrier's translation */
    {{127}, 8},               /* loopback */
    {{168, 63, 129, 16}, 32}, /* a cloud's host, as its guests see it */
    {{169, 254}, 16},         /* link-local; metadata of most clouds */
    {{172, 16}, 12},          /* private */
    {{192, 0, 0}, 24},        /* protocols */
    {{192, 0, 2}, 24},        /* documentation */
    {{192, 88, 99}, 24},      /* relays of 6to4 */
    {{192, 168}, 16},         /* private */
    {{198, 18}, 15},          /* benchmarks */
    {{198, 51, 100}, 24},     /* documentation */
    {{203, 0, 113}, 24},      /* documentation */
    {{224}, 4},               /* multicast */
    {{240}, 4},               /* reserved, and broadcast */
};

static const block global_unicast = {{0x20}, 3};

static const block refused_v6[] = {
    {{0x20, 0x01}, 23},             /* protocols, Teredo and benchmarks among them */
    {{0x20, 0x01, 0x0D, 0xB8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4 */
    {{0x3F, 0xFF}, 20},             /* documentation */
};

static bool is_in(const uint8_t *address, const block *b)
{
    const int whole = b->bits / 8, rest = b->bits % 8;
    for (int i = 0; i < whole; i++)
        if (address[i] != b->bytes[i])
            return false;
    return rest == 0 || (address[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_in_any(const uint8_t *address, const block *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_in(address, &blocks[i]))
            return true;
    return false;
}

bool srv_address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct in_addr *v4 = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
        return !is_in_any((const uint8_t *)v4, refused_v4, sizeof refused_v4 / sizeof *refused_v4);
    }
    if (address->sa_family != AF_INET6)
        return false;
    const uint8_t *v6 = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
    return is_in(v6, &global_unicast) && !is_in_any(v6, refused_v6, sizeof refused_v6 / sizeof *refused_v6);
}
