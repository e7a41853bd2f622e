/* amx_packed.inc.h: the words of amx.inc.h for products whose numbers are multiplied whole and whose weights are packed
 * as tiles take them. */
#define PAYS                NULL
#define PARTS               1
#define PAIRS               1
#define EACH_PAIR(multiply) multiply(0, 0)
#define K_MULTIPLE          K_STEP
#define MAKES_TILES         false
#define TILE_ROOM           1

/* With the rows of a band and the sums they take 36 kB: L1. */
static inline size_t slice_steps(size_t steps)
{
    (void)steps;
    return 6;
}

static inline size_t panel_bytes(size_t k)
{
    return (k + K_STEP - 1) / K_STEP * 64 * NR;
}

static inline void make_tiles(const char *b, size_t n, size_t i, size_t end, char *room)
{
    (void)b, (void)n, (void)i, (void)end, (void)room;
}
