/*
 * stretches.inc.h: prepare, for rows whose numbers become something each by itself, in the words of operand.inc.h and:
 *
 *     filled_bytes(k)                     of a row that are written whole; behind them it is zeroed first
 *     write_stretch(x, gates, n, k, row)  n numbers, those from k on, into the row
 */
static void prepare(const al_operand *o, size_t row_begin, size_t row_end)
{
    const size_t bytes = operand_row(o->k), filled = filled_bytes(o->k);
    for (size_t begin = row_begin, end; begin < row_end; begin = end) {
        end = begin + rows_together(o, row_end - begin);
        for (size_t row = begin; row < end; row++)
            memset((char *)o->rows + row * bytes + filled, 0, bytes - filled);
        for (size_t k = 0; k < o->k; k += NR)
            for (size_t row = begin; row < end; row++) {
                const numbers x = stretch(o, row, k);
                const float *gates = o->gates ? o->gates + k : NULL;
                char *to = (char *)o->rows + row * bytes;
                if (o->k - k >= NR)
                    write_stretch(x, gates, NR, k, to);
                else
                    write_stretch(x, gates, o->k - k, k, to);
            }
    }
}
