/*
 * search_show.c: pictures in the terminal by libchafa, which knows what terminals can do: real pixels by the protocols
 * of kitty, sixel or iTerm, or characters that come close.
 */
#include "search.h"
#include <chafa.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Cells a picture may take, and pixels of a cell where the terminal does not tell. */
#define MOST_COLUMNS 44
#define MOST_ROWS    14
#define CELL_WIDTH   8
#define CELL_HEIGHT  16

struct cli_screen {
    ChafaTermInfo *terminal;
    ChafaSymbolMap *symbols;
    ChafaPixelMode pixels;
    ChafaCanvasMode colors;
    int columns, rows, cell_width, cell_height;
};

/* ---- what the terminal can do ---- */

static ChafaPixelMode best_pixels(const ChafaTermInfo *terminal)
{
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_BEGIN_KITTY_IMMEDIATE_IMAGE_V1))
        return CHAFA_PIXEL_MODE_KITTY;
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_BEGIN_ITERM2_IMAGE))
        return CHAFA_PIXEL_MODE_ITERM2;
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_BEGIN_SIXELS))
        return CHAFA_PIXEL_MODE_SIXELS;
    return CHAFA_PIXEL_MODE_SYMBOLS;
}

static ChafaPixelMode named_pixels(const char *format)
{
    return strcmp(format, "kitty") == 0   ? CHAFA_PIXEL_MODE_KITTY
           : strcmp(format, "sixel") == 0 ? CHAFA_PIXEL_MODE_SIXELS
           : strcmp(format, "iterm") == 0 ? CHAFA_PIXEL_MODE_ITERM2
                                          : CHAFA_PIXEL_MODE_SYMBOLS;
}

static ChafaCanvasMode best_colors(const ChafaTermInfo *terminal)
{
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_SET_COLOR_FGBG_DIRECT))
        return CHAFA_CANVAS_MODE_TRUECOLOR;
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_SET_COLOR_FGBG_256))
        return CHAFA_CANVAS_MODE_INDEXED_240;
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_SET_COLOR_FGBG_16))
        return CHAFA_CANVAS_MODE_INDEXED_16;
    return CHAFA_CANVAS_MODE_FGBG;
}

static bool is_dumb(void)
{
    const char *term = getenv("TERM");
    return !term || !*term || strcmp(term, "dumb") == 0;
}

/* Cells on the screen and pixels of a cell, as far as the terminal tells. */
static void measure(cli_screen *screen)
{
    struct winsize size;
    screen->columns = MOST_COLUMNS;
    screen->rows = MOST_ROWS;
    screen->cell_width = CELL_WIDTH;
    screen->cell_height = CELL_HEIGHT;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2 || size.ws_row < 3)
        return;
    screen->columns = size.ws_col < MOST_COLUMNS ? size.ws_col : MOST_COLUMNS;
    screen->rows = size.ws_row - 2 < MOST_ROWS ? size.ws_row - 2 : MOST_ROWS;
    if (size.ws_xpixel >= size.ws_col && size.ws_ypixel >= size.ws_row) {
        screen->cell_width = size.ws_xpixel / size.ws_col;
        screen->cell_height = size.ws_ypixel / size.ws_row;
    }
}

bool cli_screen_open(cli_screen **out, const cli_common *common, const char *format)
{
    *out = NULL;
    if (!*format && (!isatty(STDOUT_FILENO) || is_dumb())) {
        cli_warn(common->quiet, "no pictures: standard output is no terminal that could show them");
        return true;
    }
    cli_screen *screen = cli_alloc(1, sizeof *screen);
    gchar **environment = g_get_environ();
    ChafaTermDb *known = chafa_term_db_get_default();
    screen->terminal = chafa_term_db_detect(known, environment);
    g_strfreev(environment);
    screen->pixels = *format ? named_pixels(format) : best_pixels(screen->terminal);
    screen->colors = screen->pixels == CHAFA_PIXEL_MODE_SYMBOLS ? best_colors(screen->terminal) //
                                                                : CHAFA_CANVAS_MODE_TRUECOLOR;
    if (*format) { /* the terminal is said to know more than can be seen from here */
        ChafaTermInfo *all = chafa_term_db_get_fallback_info(known);
        chafa_term_info_supplement(screen->terminal, all);
        chafa_term_info_unref(all);
    }
    screen->symbols = chafa_symbol_map_new();
    chafa_symbol_map_add_by_tags(screen->symbols, CHAFA_SYMBOL_TAG_BLOCK | CHAFA_SYMBOL_TAG_BORDER |
                                                      CHAFA_SYMBOL_TAG_SPACE | CHAFA_SYMBOL_TAG_QUAD |
                                                      CHAFA_SYMBOL_TAG_HALF);
    measure(screen);
    *out = screen;
    return true;
}

/* ---- drawing ---- */

static ChafaCanvas *make_canvas(const cli_screen *screen, const align_image *image)
{
    int columns = screen->columns, rows = screen->rows;
    chafa_calc_canvas_geometry((gint)image->width, (gint)image->height, &columns, &rows,
                               (gfloat)screen->cell_width / (gfloat)screen->cell_height, FALSE, FALSE);
    ChafaCanvasConfig *config = chafa_canvas_config_new();
    chafa_canvas_config_set_geometry(config, columns, rows);
    chafa_canvas_config_set_cell_geometry(config, screen->cell_width, screen->cell_height);
    chafa_canvas_config_set_pixel_mode(config, screen->pixels);
    chafa_canvas_config_set_canvas_mode(config, screen->colors);
    chafa_canvas_config_set_symbol_map(config, screen->symbols);
    ChafaCanvas *canvas = chafa_canvas_new(config);
    chafa_canvas_config_unref(config);
    return canvas;
}

void cli_screen_draw(cli_screen *screen, const align_image *image)
{
    ChafaCanvas *canvas = make_canvas(screen, image);
    chafa_canvas_draw_all_pixels(canvas, CHAFA_PIXEL_RGB8, image->pixels, (gint)image->width, (gint)image->height,
                                 (gint)(image->width * image->channels));
    GString *printed = chafa_canvas_print(canvas, screen->terminal);
    fwrite(printed->str, 1, printed->len, stdout);
    putchar('\n');
    g_string_free(printed, TRUE);
    chafa_canvas_unref(canvas);
}

void cli_screen_close(cli_screen *screen)
{
    if (!screen)
        return;
    chafa_symbol_map_unref(screen->symbols);
    chafa_term_info_unref(screen->terminal);
    free(screen);
}
