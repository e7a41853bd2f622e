/* plot.c: see plot.h. */
#include "train/plot.h"

#include "base/file.h"
#include "base/status.h"
#include "checkpoint/buffer.h"

#include <math.h>

enum { WIDTH = 800, HEIGHT = 400, LEFT = 60, RIGHT = 20, TOP = 20, BOTTOM = 40, MOST_POINTS = 400, TICKS = 5 };

/* What a point of the line stands for. */
typedef struct point {
    double step, mean, least, most;
} point;

typedef struct chart {
    size_t n;
    point points[MOST_POINTS];
    double steps, low, high; /* the axes */
} chart;

static point summarise(const float *losses, int64_t begin, int64_t end)
{
    point p = {(double)(begin + end + 1) / 2.0, 0.0, (double)losses[begin], (double)losses[begin]};
    for (int64_t i = begin; i < end; i++) {
        const double loss = (double)losses[i];
        p.mean += loss / (double)(end - begin);
        p.least = fmin(p.least, loss);
        p.most = fmax(p.most, loss);
    }
    return p;
}

/* 1, 2 or 5 times a power of ten: at least the range in TICKS parts. */
static double tick(double range)
{
    const double wanted = range / TICKS, power = pow(10.0, floor(log10(wanted))), times = wanted / power;
    return power * (times <= 1.0 ? 1.0 : times <= 2.0 ? 2.0 : times <= 5.0 ? 5.0 : 10.0);
}

static void fill(chart *c, const float *losses, int64_t steps)
{
    const int64_t n = steps < MOST_POINTS ? steps : MOST_POINTS;
    c->n = (size_t)n;
    c->steps = (double)steps;
    c->low = INFINITY;
    c->high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        c->points[i] = summarise(losses, i * steps / n, (i + 1) * steps / n);
        c->low = fmin(c->low, c->points[i].least);
        c->high = fmax(c->high, c->points[i].most);
    }
    if (!(c->high - c->low > 1e-6 * fabs(c->high))) { /* nothing drawn yet, or a loss that does not move */
        c->low = n ? c->low - 0.5 : 0.0;
        c->high = n ? c->high + 0.5 : 1.0;
    }
}

static double x_of(const chart *c, double step)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (c->steps > 1.0 ? (step - 1.0) / (c->steps - 1.0) : 0.5);
}

static double y_of(const chart *c, double loss)
{
    return TOP + (HEIGHT - TOP - BOTTOM) * (c->high - loss) / (c->high - c->low);
}

static void put_place(al_buffer *svg, double x, double y)
{
    al_buffer_number(svg, x, 5);
    al_buffer_putc(svg, ',');
    al_buffer_number(svg, y, 5);
    al_buffer_putc(svg, ' ');
}

static void put_text(al_buffer *svg, double x, double y, const char *anchor, double value)
{
    al_buffer_puts(svg, "<text x=\"");
    al_buffer_number(svg, x, 5);
    al_buffer_puts(svg, "\" y=\"");
    al_buffer_number(svg, y, 5);
    al_buffer_format(svg, "\" text-anchor=\"%s\">", anchor);
    al_buffer_number(svg, value, 6);
    al_buffer_puts(svg, "</text>\n");
}

static void put_axes(al_buffer *svg, const chart *c)
{
    const double step = tick(c->high - c->low), steps = c->steps > TICKS ? tick(c->steps) : 1.0;
    for (double loss = ceil(c->low / step) * step; loss <= c->high; loss += step) {
        const double y = y_of(c, loss);
        al_buffer_format(svg, "<polyline stroke=\"#ddd\" points=\"");
        put_place(svg, LEFT, y);
        put_place(svg, WIDTH - RIGHT, y);
        al_buffer_puts(svg, "\"/>\n");
        put_text(svg, LEFT - 8, y + 4, "end", fabs(loss) < step / 2.0 ? 0.0 : loss);
    }
    for (double s = steps; s <= c->steps; s += steps)
        put_text(svg, x_of(c, s), HEIGHT - BOTTOM + 18, "middle", s);
    al_buffer_format(svg, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">step</text>\n", WIDTH - RIGHT, HEIGHT - 6);
    al_buffer_format(svg, "<text x=\"%d\" y=\"%d\">loss</text>\n", 8, TOP - 6);
}

static void put_curve(al_buffer *svg, const chart *c)
{
    al_buffer_puts(svg, "<polygon fill=\"#cfe0f3\" points=\"");
    for (size_t i = 0; i < c->n; i++)
        put_place(svg, x_of(c, c->points[i].step), y_of(c, c->points[i].most));
    for (size_t i = c->n; i-- > 0;)
        put_place(svg, x_of(c, c->points[i].step), y_of(c, c->points[i].least));
    al_buffer_puts(svg, "\"/>\n<polyline stroke=\"#1f5fa8\" stroke-width=\"1.5\" points=\"");
    for (size_t i = 0; i < c->n; i++)
        put_place(svg, x_of(c, c->points[i].step), y_of(c, c->points[i].mean));
    al_buffer_puts(svg, "\"/>\n");
}

align_status al_plot_save(const char *path, const float *losses, int64_t steps, align_error *err)
{
    align_status status = ALIGN_OK;
    al_buffer svg = {0};
    chart c;
    fill(&c, losses, steps);
    al_buffer_format(&svg,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
                     "font-size=\"12\" fill=\"none\">\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n"
                     "<g fill=\"#333\">\n",
                     WIDTH, HEIGHT, WIDTH, HEIGHT);
    put_axes(&svg, &c);
    al_buffer_puts(&svg, "</g>\n");
    put_curve(&svg, &c);
    al_buffer_puts(&svg, "</svg>\n");
    TRY(al_buffer_check(&svg, err));
    TRY(al_file_write(path, svg.data, svg.size, err));
done:
    al_buffer_done(&svg);
    return status;
}
