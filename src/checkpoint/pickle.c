/*
 * pickle.c: the pickle machine: a stack, marks in it, a memo of earlier values, and opcodes of one byte.
 *
 * It knows the opcodes by which protocols 0 to 5 write None, booleans, numbers, texts, tuples, lists, dicts, globals,
 * calls and persistent ids. An opcode outside of these (classes, extensions, sets, buffers) is an error.
 */
#include "checkpoint/pickle_stack.h"

#include "base/status.h"

#include <string.h>

enum { HIGHEST_PROTOCOL = 5 };

/* The names are pickletools'. */
enum {
    OP_MARK = '(',
    OP_STOP = '.',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_DUP = '2',
    OP_NONE = 'N',
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_INT = 'I',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_LONG = 'L',
    OP_LONG1 = 0x8A,
    OP_LONG4 = 0x8B,
    OP_FLOAT = 'F',
    OP_BINFLOAT = 'G',
    OP_STRING = 'S',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_UNICODE = 'V',
    OP_BINUNICODE = 'X',
    OP_SHORT_BINUNICODE = 0x8C,
    OP_BINUNICODE8 = 0x8D,
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_BINBYTES8 = 0x8E,
    OP_EMPTY_LIST = ']',
    OP_EMPTY_DICT = '}',
    OP_EMPTY_TUPLE = ')',
    OP_LIST = 'l',
    OP_DICT = 'd',
    OP_TUPLE = 't',
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_APPEND = 'a',
    OP_APPENDS = 'e',
    OP_SETITEM = 's',
    OP_SETITEMS = 'u',
    OP_PUT = 'p',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_MEMOIZE = 0x94,
    OP_GET = 'g',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_GLOBAL = 'c',
    OP_STACK_GLOBAL = 0x93,
    OP_REDUCE = 'R',
    OP_BUILD = 'b',
    OP_BINPERSID = 'Q',
    OP_PROTO = 0x80,
    OP_FRAME = 0x95,
};

/* ---- values ---- */

static align_status push_new(al_pickle *p, al_pickle_kind kind, al_pickle_value **out, align_error *err)
{
    const align_status status = al_pickle_new(p, kind, out, err);
    return status == ALIGN_OK ? al_pickle_push(p, *out, err) : status;
}

static align_status push_kind(al_pickle *p, al_pickle_kind kind, align_error *err)
{
    al_pickle_value *value;
    return push_new(p, kind, &value, err);
}

static align_status push_bool(al_pickle *p, bool truth, align_error *err)
{
    al_pickle_value *value;
    const align_status status = push_new(p, AL_PICKLE_BOOL, &value, err);
    if (status == ALIGN_OK)
        value->u.truth = truth;
    return status;
}

static align_status push_int(al_pickle *p, int64_t integer, align_error *err)
{
    al_pickle_value *value;
    const align_status status = push_new(p, AL_PICKLE_INT, &value, err);
    if (status == ALIGN_OK)
        value->u.integer = integer;
    return status;
}

static align_status push_unsigned(al_pickle *p, int size, align_error *err)
{
    uint64_t value;
    const align_status status = al_pickle_take_number(p, size, &value, err);
    return status == ALIGN_OK ? push_int(p, (int64_t)value, err) : status;
}

/* A text or bytes whose length stands before it in size_bytes bytes. */
static align_status push_counted(al_pickle *p, al_pickle_kind kind, int size_bytes, align_error *err)
{
    uint64_t size;
    const uint8_t *bytes;
    al_pickle_value *value;
    align_status status = al_pickle_take_number(p, size_bytes, &size, err);
    if (status == ALIGN_OK)
        status = al_pickle_take(p, size, &bytes, err);
    if (status == ALIGN_OK)
        status = push_new(p, kind, &value, err);
    if (status == ALIGN_OK) {
        value->u.text.bytes = (const char *)bytes;
        value->u.text.size = (size_t)size;
    }
    return status;
}

/* LONG1, LONG4: two's complement of any length. */
static align_status push_long(al_pickle *p, int size_bytes, align_error *err)
{
    const align_status status = push_counted(p, AL_PICKLE_BIG, size_bytes, err);
    if (status != ALIGN_OK)
        return status;
    al_pickle_value *value = p->stack.items[p->stack.count - 1];
    const uint8_t *bytes = (const uint8_t *)value->u.text.bytes;
    const size_t size = value->u.text.size;
    if (size > sizeof(int64_t))
        return ALIGN_OK;
    uint64_t bits = size && bytes[size - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = size; i > 0; i--)
        bits = bits << 8 | bytes[i - 1];
    value->kind = AL_PICKLE_INT;
    value->u.integer = (int64_t)bits;
    return ALIGN_OK;
}

/* INT and LONG of protocol 0: "12\n", "12L\n"; and its booleans "00\n", "01\n". */
static align_status push_decimal(al_pickle *p, align_error *err)
{
    const char *line;
    size_t size;
    const align_status status = al_pickle_take_line(p, &line, &size, err);
    if (status != ALIGN_OK)
        return status;
    if (size == 2 && line[0] == '0' && (line[1] == '0' || line[1] == '1'))
        return push_bool(p, line[1] == '1', err);
    if (size && line[size - 1] == 'L')
        size--;
    const bool negative = size && line[0] == '-';
    int64_t value = 0;
    for (size_t i = negative; i < size; i++) {
        const int digit = line[i] - '0';
        if (digit < 0 || digit > 9 || value > (INT64_MAX - digit) / 10)
            return al_pickle_error(p, err, "not an integer, or too large: %.*s", (int)(size < 40 ? size : 40), line);
        value = value * 10 + digit;
    }
    if (size == (size_t)negative)
        return al_pickle_error(p, err, "an integer without digits");
    return push_int(p, negative ? -value : value, err);
}

/* STRING ('text') and UNICODE (text) of protocol 0; names of tensors never need their escapes. */
static align_status push_line_text(al_pickle *p, bool quoted, align_error *err)
{
    const char *line;
    size_t size;
    al_pickle_value *value;
    align_status status = al_pickle_take_line(p, &line, &size, err);
    if (status != ALIGN_OK)
        return status;
    if (quoted) {
        if (size < 2 || (line[0] != '\'' && line[0] != '"') || line[size - 1] != line[0])
            return al_pickle_error(p, err, "a string without quotes");
        line++;
        size -= 2;
    }
    if (memchr(line, '\\', size))
        return al_pickle_error(p, err, "a string with escapes is not supported");
    status = push_new(p, AL_PICKLE_TEXT, &value, err);
    if (status == ALIGN_OK) {
        value->u.text.bytes = line;
        value->u.text.size = size;
    }
    return status;
}

/* Puts values behind those of a list, tuple or dict. Growing by doubling, the arena keeps at most twice what is used.
 */
static align_status extend(al_pickle *p, al_pickle_value *value, al_pickle_value **items, size_t count,
                           align_error *err)
{
    const size_t need = value->u.list.count + count;
    if (need > value->u.list.capacity) {
        const size_t capacity = need > 2 * value->u.list.capacity ? need : 2 * value->u.list.capacity;
        al_pickle_value **grown = al_pickle_alloc(p, capacity * sizeof *grown);
        if (!grown)
            return al_error_no_memory(err, capacity * sizeof *grown);
        if (value->u.list.count)
            memcpy(grown, value->u.list.items, value->u.list.count * sizeof *grown);
        value->u.list.items = grown;
        value->u.list.capacity = capacity;
    }
    if (count)
        memcpy(value->u.list.items + value->u.list.count, items, count * sizeof *items);
    value->u.list.count = need;
    return ALIGN_OK;
}

/* The last count values of the stack as one tuple, list or dict. */
static align_status collect(al_pickle *p, al_pickle_kind kind, al_pickle_value **items, size_t count, align_error *err)
{
    al_pickle_value *value;
    if (kind == AL_PICKLE_DICT && count % 2)
        return al_pickle_error(p, err, "a dict with a key and no value");
    align_status status = al_pickle_new(p, kind, &value, err);
    if (status == ALIGN_OK)
        status = extend(p, value, items, count, err);
    return status == ALIGN_OK ? al_pickle_push(p, value, err) : status;
}

static align_status collect_marked(al_pickle *p, al_pickle_kind kind, align_error *err)
{
    al_pickle_value **items;
    size_t count;
    const align_status status = al_pickle_pop_mark(p, &items, &count, err);
    return status == ALIGN_OK ? collect(p, kind, items, count, err) : status;
}

static align_status collect_last(al_pickle *p, size_t count, align_error *err)
{
    al_pickle_value **items;
    const align_status status = al_pickle_pop_many(p, count, &items, err);
    return status == ALIGN_OK ? collect(p, AL_PICKLE_TUPLE, items, count, err) : status;
}

/* APPEND(S) and SETITEM(S): count values, already off the stack, go into the list or dict now on top. */
static align_status extend_top(al_pickle *p, al_pickle_kind kind, al_pickle_value **items, size_t count,
                               align_error *err)
{
    al_pickle_value *target;
    const align_status status = al_pickle_top(p, &target, err);
    if (status != ALIGN_OK)
        return status;
    if (target->kind != kind)
        return al_pickle_error(p, err, "expected %s to add to, found %s", al_pickle_kind_name(kind),
                               al_pickle_kind_name(target->kind));
    if (kind == AL_PICKLE_DICT && count % 2)
        return al_pickle_error(p, err, "a dict with a key and no value");
    return extend(p, target, items, count, err);
}

static align_status extend_marked(al_pickle *p, al_pickle_kind kind, align_error *err)
{
    al_pickle_value **items;
    size_t count;
    const align_status status = al_pickle_pop_mark(p, &items, &count, err);
    return status == ALIGN_OK ? extend_top(p, kind, items, count, err) : status;
}

static align_status extend_last(al_pickle *p, al_pickle_kind kind, size_t count, align_error *err)
{
    al_pickle_value **items;
    const align_status status = al_pickle_pop_many(p, count, &items, err);
    return status == ALIGN_OK ? extend_top(p, kind, items, count, err) : status;
}

/* ---- the memo ---- */

/* A memo entry costs the program two bytes at least, so no honest number reaches what was read of it. */
static align_status put_memo(al_pickle *p, uint64_t index, align_error *err)
{
    al_pickle_value *value;
    align_status status = al_pickle_top(p, &value, err);
    if (status == ALIGN_OK && index >= p->at)
        status = al_pickle_error(p, err, "memo number %" PRIu64 " is too large", index);
    while (status == ALIGN_OK && p->memo.count <= index)
        status = al_pickle_append(&p->memo, NULL, err);
    if (status == ALIGN_OK)
        p->memo.items[index] = value;
    return status;
}

static align_status get_memo(al_pickle *p, uint64_t index, align_error *err)
{
    if (index >= p->memo.count || !p->memo.items[index])
        return al_pickle_error(p, err, "memo number %" PRIu64 " was never set", index);
    return al_pickle_push(p, p->memo.items[index], err);
}

/* PUT, GET and their binary forms; size_bytes 0: a decimal line. */
static align_status use_memo(al_pickle *p, int size_bytes, align_status (*use)(al_pickle *, uint64_t, align_error *),
                             align_error *err)
{
    uint64_t index = 0;
    align_status status;
    if (size_bytes) {
        status = al_pickle_take_number(p, size_bytes, &index, err);
    } else {
        al_pickle_value *number;
        status = push_decimal(p, err);
        if (status == ALIGN_OK)
            status = al_pickle_pop(p, &number, err);
        if (status == ALIGN_OK)
            index = number->kind == AL_PICKLE_INT ? (uint64_t)number->u.integer : number->u.truth;
    }
    return status == ALIGN_OK ? use(p, index, err) : status;
}

/* ---- names, calls ---- */

static align_status global_by_lines(al_pickle *p, align_error *err)
{
    const char *module, *name;
    size_t module_size, name_size;
    al_pickle_value *value;
    align_status status = al_pickle_take_line(p, &module, &module_size, err);
    if (status == ALIGN_OK)
        status = al_pickle_take_line(p, &name, &name_size, err);
    if (status == ALIGN_OK)
        status = al_torch_find_global(p, module, module_size, name, name_size, &value, err);
    return status == ALIGN_OK ? al_pickle_push(p, value, err) : status;
}

static align_status global_by_stack(al_pickle *p, align_error *err)
{
    al_pickle_value *module, *name, *value;
    align_status status = al_pickle_pop(p, &name, err);
    if (status == ALIGN_OK)
        status = al_pickle_pop(p, &module, err);
    if (status == ALIGN_OK && (module->kind != AL_PICKLE_TEXT || name->kind != AL_PICKLE_TEXT))
        status = al_pickle_error(p, err, "a global's name is not a text");
    if (status == ALIGN_OK)
        status = al_torch_find_global(p, module->u.text.bytes, module->u.text.size, name->u.text.bytes,
                                      name->u.text.size, &value, err);
    return status == ALIGN_OK ? al_pickle_push(p, value, err) : status;
}

static align_status reduce(al_pickle *p, align_error *err)
{
    al_pickle_value *function, *arguments, *value;
    align_status status = al_pickle_pop(p, &arguments, err);
    if (status == ALIGN_OK)
        status = al_pickle_pop(p, &function, err);
    if (status == ALIGN_OK)
        status = al_torch_call(p, function, arguments, &value, err);
    return status == ALIGN_OK ? al_pickle_push(p, value, err) : status;
}

static align_status persistent(al_pickle *p, align_error *err)
{
    al_pickle_value *id, *value;
    align_status status = al_pickle_pop(p, &id, err);
    if (status == ALIGN_OK)
        status = al_torch_persistent(p, id, &value, err);
    return status == ALIGN_OK ? al_pickle_push(p, value, err) : status;
}

/* An OrderedDict's attributes: a state dict's _metadata, which holds versions of modules and is not needed. */
static align_status build(al_pickle *p, align_error *err)
{
    al_pickle_value *state, *object;
    align_status status = al_pickle_pop(p, &state, err);
    if (status == ALIGN_OK)
        status = al_pickle_top(p, &object, err);
    if (status == ALIGN_OK && (object->kind != AL_PICKLE_DICT || state->kind != AL_PICKLE_DICT))
        status = al_pickle_error(p, err, "attributes may only be a dict's and given as a dict, found %s given as %s",
                                 al_pickle_kind_name(object->kind), al_pickle_kind_name(state->kind));
    return status;
}

/* ---- opcodes ---- */

static align_status step_value(al_pickle *p, int opcode, bool *known, align_error *err)
{
    const uint8_t *skipped;
    const char *line;
    size_t size;
    align_status status;
    uint64_t number;
    switch (opcode) {
    case OP_NONE:
        return push_kind(p, AL_PICKLE_NONE, err);
    case OP_NEWTRUE:
        return push_bool(p, true, err);
    case OP_NEWFALSE:
        return push_bool(p, false, err);
    case OP_INT:
    case OP_LONG:
        return push_decimal(p, err);
    case OP_BININT:
        status = al_pickle_take_number(p, 4, &number, err);
        return status == ALIGN_OK ? push_int(p, (int32_t)(uint32_t)number, err) : status;
    case OP_BININT1:
        return push_unsigned(p, 1, err);
    case OP_BININT2:
        return push_unsigned(p, 2, err);
    case OP_LONG1:
        return push_long(p, 1, err);
    case OP_LONG4:
        return push_long(p, 4, err);
    case OP_FLOAT:
        status = al_pickle_take_line(p, &line, &size, err);
        return status == ALIGN_OK ? push_kind(p, AL_PICKLE_FLOAT, err) : status;
    case OP_BINFLOAT:
        status = al_pickle_take(p, 8, &skipped, err);
        return status == ALIGN_OK ? push_kind(p, AL_PICKLE_FLOAT, err) : status;
    case OP_STRING:
        return push_line_text(p, true, err);
    case OP_UNICODE:
        return push_line_text(p, false, err);
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINUNICODE:
        return push_counted(p, AL_PICKLE_TEXT, 1, err);
    case OP_BINSTRING:
    case OP_BINUNICODE:
        return push_counted(p, AL_PICKLE_TEXT, 4, err);
    case OP_BINUNICODE8:
        return push_counted(p, AL_PICKLE_TEXT, 8, err);
    case OP_SHORT_BINBYTES:
        return push_counted(p, AL_PICKLE_BYTES, 1, err);
    case OP_BINBYTES:
        return push_counted(p, AL_PICKLE_BYTES, 4, err);
    case OP_BINBYTES8:
        return push_counted(p, AL_PICKLE_BYTES, 8, err);
    case OP_GLOBAL:
        return global_by_lines(p, err);
    case OP_STACK_GLOBAL:
        return global_by_stack(p, err);
    default:
        *known = false;
        return ALIGN_OK;
    }
}

static align_status step_structure(al_pickle *p, int opcode, bool *known, align_error *err)
{
    al_pickle_value *value, **items;
    size_t count;
    align_status status;
    switch (opcode) {
    case OP_MARK:
        return al_pickle_push_mark(p, err);
    case OP_POP:
        /* On a mark, POP takes the mark. */
        if (p->mark_count && al_pickle_above_mark(p) == 0)
            return al_pickle_pop_mark(p, &items, &count, err);
        return al_pickle_pop(p, &value, err);
    case OP_POP_MARK:
        return al_pickle_pop_mark(p, &items, &count, err);
    case OP_DUP:
        status = al_pickle_top(p, &value, err);
        return status == ALIGN_OK ? al_pickle_push(p, value, err) : status;
    case OP_EMPTY_LIST:
        return push_kind(p, AL_PICKLE_LIST, err);
    case OP_EMPTY_DICT:
        return push_kind(p, AL_PICKLE_DICT, err);
    case OP_EMPTY_TUPLE:
        return push_kind(p, AL_PICKLE_TUPLE, err);
    case OP_LIST:
        return collect_marked(p, AL_PICKLE_LIST, err);
    case OP_DICT:
        return collect_marked(p, AL_PICKLE_DICT, err);
    case OP_TUPLE:
        return collect_marked(p, AL_PICKLE_TUPLE, err);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return collect_last(p, (size_t)(opcode - OP_TUPLE1 + 1), err);
    case OP_APPEND:
        return extend_last(p, AL_PICKLE_LIST, 1, err);
    case OP_APPENDS:
        return extend_marked(p, AL_PICKLE_LIST, err);
    case OP_SETITEM:
        return extend_last(p, AL_PICKLE_DICT, 2, err);
    case OP_SETITEMS:
        return extend_marked(p, AL_PICKLE_DICT, err);
    default:
        *known = false;
        return ALIGN_OK;
    }
}

static align_status step_control(al_pickle *p, int opcode, align_error *err)
{
    const uint8_t *bytes;
    align_status status;
    switch (opcode) {
    case OP_PROTO:
        status = al_pickle_take(p, 1, &bytes, err);
        if (status == ALIGN_OK && *bytes > HIGHEST_PROTOCOL)
            status = al_pickle_error(p, err, "protocol %d, expected at most %d", *bytes, HIGHEST_PROTOCOL);
        return status;
    case OP_FRAME: /* how much to read ahead; all is there already */
        return al_pickle_take(p, 8, &bytes, err);
    case OP_PUT:
        return use_memo(p, 0, put_memo, err);
    case OP_BINPUT:
        return use_memo(p, 1, put_memo, err);
    case OP_LONG_BINPUT:
        return use_memo(p, 4, put_memo, err);
    case OP_MEMOIZE:
        return put_memo(p, p->memo.count, err);
    case OP_GET:
        return use_memo(p, 0, get_memo, err);
    case OP_BINGET:
        return use_memo(p, 1, get_memo, err);
    case OP_LONG_BINGET:
        return use_memo(p, 4, get_memo, err);
    case OP_REDUCE:
        return reduce(p, err);
    case OP_BUILD:
        return build(p, err);
    case OP_BINPERSID:
        return persistent(p, err);
    default:
        return al_pickle_error(p, err, "opcode 0x%02x is not supported", (unsigned)opcode);
    }
}

align_status al_pickle_load(al_pickle *p, al_pickle_value **root, align_error *err)
{
    p->stack.count = p->memo.count = p->mark_count = 0;
    for (;;) {
        const uint8_t *opcode;
        align_status status = al_pickle_take(p, 1, &opcode, err);
        if (status != ALIGN_OK)
            return status;
        if (*opcode == OP_STOP)
            return al_pickle_pop(p, root, err);
        bool known = true;
        status = step_value(p, *opcode, &known, err);
        if (status == ALIGN_OK && !known) {
            known = true;
            status = step_structure(p, *opcode, &known, err);
        }
        if (status == ALIGN_OK && !known)
            status = step_control(p, *opcode, err);
        if (status != ALIGN_OK)
            return status;
    }
}
