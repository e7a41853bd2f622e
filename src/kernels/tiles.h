#ifndef AL_TILES_H
#define AL_TILES_H
/* tiles.h: what all products by tiles (AMX) need: how the registers are set, and what compilers do not know. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define TILE_REGISTERS 8
#define WHOLE_ROWS     16 /* of a whole tile */
#define TILE_ROW_BYTES 64

/* gcc does not know that tile instructions read and write memory: whatever was written must be there. */
#define FINISH_WRITES() __asm__ volatile("" ::: "memory")

/* What ldtilecfg reads. */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* Registers of so many rows, but for the one that is whole in any case. */
static inline void configure_tiles(size_t rows, int whole)
{
    tile_shapes shapes = {.palette = 1};
    for (int t = 0; t < TILE_REGISTERS; t++) {
        shapes.rows[t] = (uint8_t)(t == whole ? WHOLE_ROWS : rows);
        shapes.row_bytes[t] = TILE_ROW_BYTES;
    }
    __asm__ volatile("" ::"r"(&shapes) : "memory"); /* all of it is read, not the pointer's worth that gcc believes */
    _tile_loadconfig(&shapes);
}
#endif
