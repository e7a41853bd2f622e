/*
 * search_page.c: a page of what was found: one HTML file with small pictures inside it, which links to the files
 * themselves. No scripts: links are what keyboards and screen readers know best. Light or dark, as the reader has it.
 */
#include "search.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define THUMBNAIL 360 /* pixels of the longer side: twice what is shown, for screens of high density */
#define QUALITY   82

static const char page_head[] =
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
    "'unsafe-inline'\">\n"
    "<style>\n"
    ":root { --ground: #fafaf9; --card: #eeedeb; --ink: #1c1b1a; --faint: #6b6763; --mark: #b4441c;\n"
    "  --edge: #0000001a }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --ground: #151413; --card: #242220; --ink: #ebe8e4; --faint: #9d968f; --mark: #ff9a6c;\n"
    "    --edge: #ffffff1a }\n"
    "}\n"
    "* { box-sizing: border-box }\n"
    "body { margin: 0 auto; padding: 1.5rem; max-width: 110rem; background: var(--ground); color: var(--ink);\n"
    "  font: 15px/1.45 system-ui, sans-serif }\n"
    "h1 { font-size: 1.35rem; font-weight: 600; margin: 0; overflow-wrap: anywhere }\n"
    "h2 { font-size: 1rem; font-weight: 600; margin: 2rem 0 0 }\n"
    ".count { color: var(--faint); margin: .2rem 0 0 }\n"
    "ol { list-style: none; margin: 1rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .75rem }\n"
    "ol::after { content: ''; flex: 1000 1 0 }\n"
    "li { flex: calc(var(--shape) * 100) 1 calc(var(--shape) * 10rem); max-width: calc(var(--shape) * 17rem);\n"
    "  min-width: 0 }\n"
    "a, .gone { display: block; color: inherit; text-decoration: none; border-radius: .6rem; outline-offset: 3px }\n"
    "a:focus-visible { outline: 3px solid var(--mark) }\n"
    "img, .text, .none { display: block; width: 100%; height: auto; aspect-ratio: var(--shape); border-radius: .6rem;\n"
    "  background: var(--card); object-fit: cover; box-shadow: 0 0 0 1px var(--edge) }\n"
    ".text, .none { padding: .8rem; overflow: hidden; margin: 0 }\n"
    ".none { color: var(--faint); display: grid; place-items: center; text-align: center }\n"
    "a:hover img, a:hover .text { filter: brightness(1.06) }\n"
    ".name, .about { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }\n"
    ".name { margin-top: .35rem }\n"
    ".about { color: var(--faint); font-size: .82rem; font-variant-numeric: tabular-nums }\n"
    "@media (prefers-reduced-motion: no-preference) { a img { transition: filter .15s } }\n"
    "</style>\n";

/* Text in HTML; what is not UTF-8 becomes U+FFFD, controls vanish. */
static void put_text(FILE *out, const char *text)
{
    while (*text) {
        const char *start = text;
        int32_t point = cli_utf8_next(&text);
        if (point < 0)
            fputs("\xEF\xBF\xBD", out);
        else if (point == '&')
            fputs("&amp;", out);
        else if (point == '<')
            fputs("&lt;", out);
        else if (point == '"')
            fputs("&quot;", out);
        else if (point >= 0x20 && point != 0x7F)
            fwrite(start, 1, (size_t)(text - start), out);
        else
            fputc(' ', out);
    }
}

/* A path, any bytes, as a URL. */
static void put_url(FILE *out, const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    fputs("file://", out);
    for (; *path; path++)
        if (strchr(plain, *path))
            fputc(*path, out);
        else
            fprintf(out, "%%%02X", (unsigned)(unsigned char)*path);
}

static void put_base64(FILE *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t n = size - i < 3 ? size - i : 3;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= n > 2 ? (uint32_t)bytes[i + 2] : 0;
        fputc(digits[group >> 18], out);
        fputc(digits[group >> 12 & 63], out);
        fputc(n > 1 ? digits[group >> 6 & 63] : '=', out);
        fputc(n > 2 ? digits[group & 63] : '=', out);
    }
}

/* How wide a picture is for its height, within what rows of pictures bear. */
static double shape_of(const align_image *image)
{
    double shape = (double)image->width / (double)image->height;
    return shape < 0.62 ? 0.62 : shape > 2.5 ? 2.5 : shape;
}

/* The picture of an item, or why there is none. */
static void put_picture(FILE *out, cli_thumbnails *thumbnails, const cli_hit *hit)
{
    align_image image = {0};
    uint8_t *bytes = NULL;
    size_t size;
    align_error err = ALIGN_ERROR_INIT;
    bool shown = !hit->missing && cli_thumbnail_open(thumbnails, &image, hit->item, THUMBNAIL, &err) == ALIGN_OK &&
                 align_image_encode_jpeg(&image, QUALITY, &bytes, &size, &err) == ALIGN_OK;
    fprintf(out, "<li style=\"--shape: %.3f\">", shown ? shape_of(&image) : 1.0);
    if (hit->missing) {
        fputs("<div class=\"gone\"><span class=\"none\">the file is not there any more</span>", out);
    } else {
        fputs("<a href=\"", out);
        put_url(out, hit->item->path);
        fputs("\">", out);
    }
    if (shown) {
        fprintf(out, "<img alt=\"\" width=\"%d\" height=\"%d\" src=\"data:image/jpeg;base64,", (int)image.width,
                (int)image.height);
        put_base64(out, bytes, size);
        fputs("\">", out);
    } else if (!hit->missing) {
        fputs("<span class=\"none\">no picture: ", out);
        put_text(out, err.message);
        fputs("</span>", out);
    }
    align_free(bytes);
    align_image_done(&image);
}

static void put_hit(FILE *out, cli_thumbnails *thumbnails, const cli_hit *hit)
{
    const align_item *item = hit->item;
    char *name = cli_item_name(item->path, item->member);
    const char *slash = strrchr(name, '/');
    char date[11];
    cli_item_date(item, date);
    if (item->kind == ALIGN_ITEM_TEXT) {
        fputs("<li style=\"--shape: 1.5\"><div class=\"gone\"><blockquote class=\"text\">", out);
        put_text(out, item->text);
        fputs("</blockquote>", out);
    } else {
        put_picture(out, thumbnails, hit);
    }
    fputs("<span class=\"name\" title=\"", out);
    put_text(out, name);
    fputs("\">", out);
    put_text(out, slash ? slash + 1 : name);
    fputs("</span><span class=\"about\">", out);
    if (!isnan(hit->score))
        fprintf(out, "%.3f%s", (double)hit->score, *date ? " \u00B7 " : "");
    fprintf(out, "%s</span>", date);
    fputs(item->kind == ALIGN_ITEM_TEXT || hit->missing ? "</div></li>\n" : "</a></li>\n", out);
    free(name);
}

static void put_page(FILE *out, const cli_common *common, const char *title, const cli_hit_list *lists, size_t n_lists)
{
    size_t count = 0;
    for (size_t l = 0; l < n_lists; l++)
        count += lists[l].count;
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<title>", out);
    put_text(out, title);
    fprintf(out, "</title>\n%s</head>\n<body>\n<main>\n<h1>", page_head);
    put_text(out, title);
    fprintf(out, "</h1>\n<p class=\"count\">%zu found</p>\n", count);
    cli_thumbnails thumbnails = {0};
    cli_progress progress;
    cli_progress_start(&progress, common->quiet, false, "thumbnails", count);
    for (size_t l = 0; l < n_lists; l++) {
        if (lists[l].heading) {
            fputs("<h2>", out);
            put_text(out, lists[l].heading);
            fputs("</h2>\n", out);
        }
        fputs("<ol>\n", out);
        for (size_t i = 0; i < lists[l].count; i++) {
            put_hit(out, &thumbnails, &lists[l].hits[i]);
            cli_progress_step(&progress);
        }
        fputs("</ol>\n", out);
    }
    cli_progress_end(&progress);
    cli_thumbnails_done(&thumbnails);
    fputs("</main>\n</body>\n</html>\n", out);
}

bool cli_page_write(const char *path, const cli_common *common, const char *title, const cli_hit_list *lists,
                    size_t n_lists)
{
    cli_aside aside;
    FILE *out = cli_aside_open(&aside, path);
    if (out)
        put_page(out, common, title, lists, n_lists);
    return cli_aside_close(&aside, NULL);
}
