/* PyTorch files: every container, protocol and kind of view gives the same tensors; hostile and broken ones are
 * refused. */
#include "checkpoint/torch_file.h"

#include "base/memory.h"
#include "checkpoint/buffer.h"
#include "checkpoint/zip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "checkpoint/scratch.h"

static void every_form_is_the_same(void **state)
{
    (void)state;
    static const char *const files[] = {
        GOLDEN("zip.bin"),
        GOLDEN("zip_protocol_1.bin"),
        GOLDEN("zip_protocol_4.bin"),
        GOLDEN("zip_protocol_5.bin"),
        GOLDEN("legacy.bin"),
        GOLDEN("legacy_protocol_4.bin"),
        GOLDEN("views.bin"),
        GOLDEN("views_legacy.bin"),
    };
    align_tensors *truth = open_tensors(GOLDEN("truth.safetensors"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        align_tensors *found = open_tensors(files[i]);
        assert_same_tensors(found, truth);
        assert_string_equal(align_tensors_name(found, 0), "temperature"); /* the dict's order */
        assert_string_equal(align_tensors_name(found, 1), "matrix.weight");
        assert_null(align_tensors_metadata(found, "format"));
        align_tensors_free(found);
    }
    align_tensors_free(truth);
}

/* Payloads of the zip container are used where they are mapped: no copy of 64-byte aligned tensors. */
static void contiguous_tensors_stay_in_the_map(void **state)
{
    (void)state;
    align_tensors *found = open_tensors(GOLDEN("zip.bin"));
    const uint8_t *a = align_tensors_get(found, "matrix.weight")->data;
    const uint8_t *b = align_tensors_get(found, "double")->data;
    assert_int_equal((uintptr_t)a % 64, 0);
    assert_int_equal((uintptr_t)b % 64, 0);
    assert_true((uintptr_t)a / 65536 == (uintptr_t)b / 65536); /* neighbours in a file of 5 KB */
    align_tensors_free(found);
}

static size_t all_items(const align_tensors *tensors, al_save_item *items)
{
    const size_t count = align_tensors_count(tensors);
    for (size_t i = 0; i < count; i++) {
        const align_tensor *tensor = align_tensors_at(tensors, i);
        items[i] = (al_save_item){align_tensors_name(tensors, i), tensor, tensor->dtype};
    }
    return count;
}

static void written_and_read_back(void **state)
{
    (void)state;
    align_tensors *truth = open_tensors(GOLDEN("truth.safetensors"));
    al_save_item items[32];
    const size_t count = all_items(truth, items);
    for (int wide = 0; wide < 2; wide++) {
        assert_int_equal(al_torch_write(items, count, in_scratch("a.bin"), wide, NULL), ALIGN_OK);
        align_tensors *found = open_tensors(in_scratch("a.bin"));
        assert_same_tensors(found, truth);
        for (size_t i = 0; i < count; i++)
            assert_string_equal(align_tensors_name(found, i), align_tensors_name(truth, i));
        align_tensors_free(found);
    }
    align_tensors_free(truth);
}

/* ---- made files ---- */

/* A zip container of a pickle and a storage "0" of `size` bytes 0, 1, 2, ... */
static const char *make_zip(const char *pickle, size_t pickle_size, size_t size)
{
    uint8_t bytes[256];
    al_zip_writer *zip;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(al_zip_writer_open(&zip, in_scratch("made.bin"), false, NULL), ALIGN_OK);
    assert_int_equal(al_zip_writer_add(zip, "x/data.pkl", pickle, pickle_size, NULL), ALIGN_OK);
    assert_int_equal(al_zip_writer_add(zip, "x/data/0", bytes, size, NULL), ALIGN_OK);
    assert_int_equal(al_zip_writer_commit(zip, NULL), ALIGN_OK);
    return in_scratch("made.bin");
}

/* The pickle of {"t": tensor}; storage and arguments are opcodes. */
#define TENSOR(storage, arguments) \
    "\x80\x02}X\1\0\0\0tctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage" storage "tQ" arguments "tRs."
#define BYTES(count)                 \
    "ctorch\nByteStorage\nX\1\0\0\0" \
    "0X\3\0\0\0cpuK" count
#define SHORTS(count)                 \
    "ctorch\nShortStorage\nX\1\0\0\0" \
    "0X\3\0\0\0cpuK" count
#define MADE(pickle, size) make_zip(pickle, sizeof(pickle) - 1, size)

static void assert_bytes(const char *path, const uint8_t *expected, size_t count)
{
    align_tensors *found = open_tensors(path);
    const align_tensor *tensor = align_tensors_get(found, "t");
    assert_non_null(tensor);
    assert_int_equal(align_tensor_elements(tensor), count);
    if (count)
        assert_memory_equal(tensor->data, expected, count);
    align_tensors_free(found);
}

static void views(void **state)
{
    (void)state;
    static const uint8_t expected[] = {2, 5, 3, 6, 4, 7};
    /* storage of 8, offset 2, size (3, 2), stride (1, 3) */
    assert_bytes(MADE(TENSOR(BYTES("\x08"), "K\2K\3K\2\x86K\1K\3\x86\x89)"), 8), expected, 6);
    /* an expanded axis: size (2, 2), stride (0, 1) */
    static const uint8_t repeated[] = {2, 3, 2, 3};
    assert_bytes(MADE(TENSOR(BYTES("\x08"), "K\2K\2K\2\x86K\0K\1\x86\x89)"), 8), repeated, 4);
    /* the stride of an axis of one does not matter, be it 2^62 */
    static const uint8_t one[] = {7};
    assert_bytes(
        MADE(TENSOR(BYTES("\x08"), "K\7K\1K\1\x86\x8a\x08\0\0\0\0\0\0\0\x40\x8a\x08\0\0\0\0\0\0\0\x40\x86\x89)"), 8),
        one, 1);
    static const uint8_t column[] = {1, 3, 5};
    assert_bytes(MADE(TENSOR(BYTES("\x08"), "K\1K\3K\1\x86K\2\x8a\x08\0\0\0\0\0\0\0\x40\x86\x89)"), 8), column, 3);
    /* nothing, at the very end */
    assert_bytes(MADE(TENSOR(BYTES("\x08"), "K\x08K\0\x85K\1\x85\x89)"), 8), NULL, 0);
    /* a record larger than the storage is fine */
    assert_bytes(MADE(TENSOR(BYTES("\x02"), "K\1K\1\x85K\1\x85\x89)"), 8), (const uint8_t[]){1}, 1);
}

/* The opcodes of protocols 0 and 1 for the same: lists of lines, LONG, PUT and GET, dict and tuple by marks. */
static void old_opcodes(void **state)
{
    (void)state;
    static const char old[] =
        "(dp0\nS't'\np1\nctorch._utils\n_rebuild_tensor\n((Vstorage\nctorch\nByteStorage\nV0\nNI8\n"
        "tQL1L\n(I3\nt(I2\nttRp2\n0(g1\ng2\nd.";
    static const uint8_t expected[] = {1, 3, 5};
    assert_bytes(MADE(old, 8), expected, 3);
    /* OrderedDict([("t", Parameter)]), as Python 2 wrote it, then its attributes */
    static const char ordered[] =
        "ccollections\nOrderedDict\n((l(U\1tctorch._utils\n_rebuild_parameter\n(ctorch._utils\n_rebuild_tensor_v2\n"
        "((T\7\0\0\0storagectorch\nByteStorage\nU\1"
        "0NJ\x08\0\0\0tQ\x8a\1\1(K\3t(M\2\0t\x89}tR\x88)tRlatR}U\2_mNsb.";
    assert_bytes(MADE(ordered, 8), expected, 3);
    /* floats, bytes, frames, marks popped, values doubled: anything that is not a name passes through */
    static const char others[] = "\x80\x04\x95\0\0\0\0\0\0\0\0}G\0\0\0\0\0\0\0\0"
                                 "0F1.5\n0C\1x0B\1\0\0\0y0"
                                 "\x8e\1\0\0\0\0\0\0\0z0(NN1(02"
                                 "0\x8b\2\0\0\0\1\1"
                                 "0\x8a\x0a"
                                 "0123456789"
                                 "0I01\n0I-5\n0.";
    align_tensors *none = open_tensors(MADE(others, 8));
    assert_int_equal(align_tensors_count(none), 0);
    align_tensors_free(none);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *pickle;
        size_t size;
        align_status status;
        const char *text;
    } cases[] = {
#define CASE(pickle, status, text) {pickle, sizeof(pickle) - 1, status, text}
        CASE("cos\nsystem\n(S'touch /tmp/align-was-here'\ntR.", ALIGN_ERROR_FORMAT, "os.system"),
        CASE("\x80\x02"
             "cposix\nsystem\nX\4\0\0\0true\x85R.",
             ALIGN_ERROR_FORMAT, "posix.system"),
        CASE("\x80\x04\x8c\x08"
             "builtins\x8c\4eval\x93\x8c\1"
             "1\x85R.",
             ALIGN_ERROR_FORMAT, "builtins.eval"),
        CASE("ctorch\nload\n.", ALIGN_ERROR_FORMAT, "torch.load"),
        CASE("ctorch._utils\n_rebuild_tensor_v2.\n.", ALIGN_ERROR_FORMAT, "_rebuild_tensor_v2."),
        CASE("ctorch\nComplexFloatStorage\n.", ALIGN_ERROR_UNSUPPORTED, "ComplexFloatStorage"),
        CASE("(ios\nsystem\n.", ALIGN_ERROR_FORMAT, "0x69"),
        CASE("\x80\x02\x82\1.", ALIGN_ERROR_FORMAT, "0x82"),
        CASE("\x80\x02}}\x81.", ALIGN_ERROR_FORMAT, "0x81"),
        CASE("\x80\x06N.", ALIGN_ERROR_FORMAT, "protocol 6"),
        CASE("", ALIGN_ERROR_FORMAT, "truncated"),
        CASE("\x80", ALIGN_ERROR_FORMAT, "truncated"),
        CASE("}", ALIGN_ERROR_FORMAT, "truncated"),
        CASE(".", ALIGN_ERROR_FORMAT, "missing on the stack"),
        CASE("(.", ALIGN_ERROR_FORMAT, "missing on the stack"),
        CASE("t.", ALIGN_ERROR_FORMAT, "mark is missing"),
        CASE("0.", ALIGN_ERROR_FORMAT, "missing on the stack"),
        CASE("2.", ALIGN_ERROR_FORMAT, "missing on the stack"),
        CASE("N\x86.", ALIGN_ERROR_FORMAT, "missing on the stack"),
        CASE("N(\x85.", ALIGN_ERROR_FORMAT, "missing on the stack"),
        CASE("(Nd.", ALIGN_ERROR_FORMAT, "no value"),
        CASE("}(Nu.", ALIGN_ERROR_FORMAT, "no value"),
        CASE("]NNs.", ALIGN_ERROR_FORMAT, "expected a dict to add to, found a list"),
        CASE("}Na.", ALIGN_ERROR_FORMAT, "expected a list to add to, found a dict"),
        CASE("X\xff\xff\xff\x7f"
             "abc.",
             ALIGN_ERROR_FORMAT, "truncated"),
        CASE("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
             "abc.",
             ALIGN_ERROR_FORMAT, "truncated"),
        CASE("Nq\x7f"
             ".",
             ALIGN_ERROR_FORMAT, "memo number 127 is too large"),
        CASE("Nr\xff\xff\xff\xff"
             ".",
             ALIGN_ERROR_FORMAT, "is too large"),
        CASE("h\0.", ALIGN_ERROR_FORMAT, "memo number 0 was never set"),
        CASE("Nq\1h\0.", ALIGN_ERROR_FORMAT, "memo number 0 was never set"),
        CASE("Ng-1\n.", ALIGN_ERROR_FORMAT, "was never set"),
        CASE("NgN.", ALIGN_ERROR_FORMAT, "a line without end"),
        CASE("I99999999999999999999\n.", ALIGN_ERROR_FORMAT, "too large"),
        CASE("I\n.", ALIGN_ERROR_FORMAT, "without digits"),
        CASE("I-\n.", ALIGN_ERROR_FORMAT, "without digits"),
        CASE("I1x\n.", ALIGN_ERROR_FORMAT, "not an integer"),
        CASE("Sabc\n.", ALIGN_ERROR_FORMAT, "without quotes"),
        CASE("S'\n.", ALIGN_ERROR_FORMAT, "without quotes"),
        CASE("S'a\\x00'\n.", ALIGN_ERROR_FORMAT, "escapes"),
        CASE("N)R.", ALIGN_ERROR_FORMAT, "found None called with a tuple"),
        CASE("ctorch\nFloatStorage\n)R.", ALIGN_ERROR_FORMAT, "not to be called"),
        CASE("NN\x93.", ALIGN_ERROR_FORMAT, "name is not a text"),
        CASE("NQ.", ALIGN_ERROR_FORMAT, "persistent id"),
        CASE("(NNNNNtQ.", ALIGN_ERROR_FORMAT, "persistent id"),
        CASE("P1\n.", ALIGN_ERROR_FORMAT, "0x50"),
        CASE("}Nb.", ALIGN_ERROR_FORMAT, "attributes"),
        CASE("N}b.", ALIGN_ERROR_FORMAT, "attributes"),
        CASE("ccollections\nOrderedDict\nN\x85R.", ALIGN_ERROR_FORMAT, "list of pairs"),
        CASE("ccollections\nOrderedDict\n(]NtR.", ALIGN_ERROR_FORMAT, "list of pairs"),
        CASE("ccollections\nOrderedDict\n(](N\x85"
             "etR.",
             ALIGN_ERROR_FORMAT, "list of pairs"),
        CASE("ctorch._utils\n_rebuild_parameter\nN\x85R.", ALIGN_ERROR_FORMAT, "a parameter"),
        CASE("ctorch._utils\n_rebuild_tensor_v2\n)R.", ALIGN_ERROR_FORMAT, "a tensor is not made of"),
        CASE("N.", ALIGN_ERROR_FORMAT, "expected a dict of tensors, found None"),
        CASE("}NNs.", ALIGN_ERROR_FORMAT, "a key of its dict"),
        CASE("}X\1\0\0\0\xffNs.", ALIGN_ERROR_FORMAT, "a key of its dict"),
        CASE("}X\1\0\0\0\0Ns.", ALIGN_ERROR_FORMAT, "a key of its dict"),
        CASE("}X\5\0\0\0epochK\3s.", ALIGN_ERROR_FORMAT, "key epoch: expected a tensor, found an integer"),
        CASE("}X\1\0\0\0"
             "a}s.",
             ALIGN_ERROR_FORMAT, "key a: expected a tensor, found a dict"),
        CASE(TENSOR(BYTES("\x09"), "K\0K\1\x85K\1\x85\x89)"), ALIGN_ERROR_FORMAT,
             "storage 0: expected 9 elements of U8, found 8 bytes"),
        CASE(TENSOR(SHORTS("\x05"), "K\0K\1\x85K\1\x85\x89)"), ALIGN_ERROR_FORMAT,
             "storage 0: expected 5 elements of I16"),
        CASE(TENSOR("ctorch\nByteStorage\nX\1\0\0\0"
                    "1X\3\0\0\0cpuK\1",
                    "K\0K\1\x85K\1\x85\x89)"),
             ALIGN_ERROR_FORMAT, "storage 1 is missing"),
        CASE(TENSOR("ctorch\nByteStorage\nX\5\0\0\0../..X\3\0\0\0cpuK\1", "K\0K\1\x85K\1\x85\x89)"), ALIGN_ERROR_FORMAT,
             "is missing"),
        CASE(TENSOR("ctorch\nDoubleStorage\nX\1\0\0\0"
                    "0X\3\0\0\0cpu\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
                    "K\0K\1\x85K\1\x85\x89)"),
             ALIGN_ERROR_FORMAT, "a storage of"),
        CASE(TENSOR("ctorch\nByteStorage\nX\1\0\0\0"
                    "0X\3\0\0\0cpuJ\xff\xff\xff\xff",
                    "K\0K\1\x85K\1\x85\x89)"),
             ALIGN_ERROR_FORMAT, "a storage of -1"),
        CASE(TENSOR(BYTES("\x08") "N", "K\0K\x09\x85K\1\x85\x89)"), ALIGN_ERROR_FORMAT, "beyond its storage"),
        CASE(TENSOR(BYTES("\x08") "K\1", "K\0K\1\x85K\1\x85\x89)"), ALIGN_ERROR_UNSUPPORTED, "views of storages"),
        CASE(TENSOR(BYTES("\x08"), "K\0K\x09\x85K\1\x85\x89)"), ALIGN_ERROR_FORMAT,
             "tensor t reaches beyond its storage of 8"),
        CASE(TENSOR(BYTES("\x08"), "K\1K\x08\x85K\1\x85\x89)"), ALIGN_ERROR_FORMAT, "beyond its storage"),
        CASE(TENSOR(BYTES("\x08"), "K\0K\3\x85K\4\x85\x89)"), ALIGN_ERROR_FORMAT, "beyond its storage"),
        CASE(TENSOR(BYTES("\x08"), "K\x09K\0\x85K\1\x85\x89)"), ALIGN_ERROR_FORMAT, "beyond its storage"),
        CASE(TENSOR(BYTES("\x08"), "J\xff\xff\xff\xffK\1\x85K\1\x85\x89)"), ALIGN_ERROR_FORMAT,
             "a tensor is not made of"),
        CASE(TENSOR(BYTES("\x08"), "K\0J\xff\xff\xff\xff\x85K\1\x85\x89)"), ALIGN_ERROR_FORMAT,
             "entry 0 is not a size"),
        CASE(TENSOR(BYTES("\x08"), "K\0K\1\x85J\xff\xff\xff\xff\x85\x89)"), ALIGN_ERROR_FORMAT,
             "entry 0 is not a size"),
        CASE(TENSOR(BYTES("\x08"), "K\0K\1K\1\x86K\1\x85\x89)"), ALIGN_ERROR_FORMAT, "2 sizes and 1 strides"),
        CASE(TENSOR(BYTES("\x08"), "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t)\x89)"), ALIGN_ERROR_UNSUPPORTED, "rank 9"),
        CASE(TENSOR(BYTES("\x08"), "K\0]K\1\x85\x89)"), ALIGN_ERROR_FORMAT, "expected a tuple, found a list"),
        CASE(TENSOR(BYTES("\x08"), "K\0\x8a\x08\0\0\0\0\0\0\0\x40K\4\x86K\0K\0\x86\x89)"), ALIGN_ERROR_FORMAT,
             "beyond its storage"),
        CASE(TENSOR(BYTES("\x08"), "K\0\x8a\x05\0\0\0\0\1\x85K\0\x85\x89)"), ALIGN_ERROR_FORMAT,
             "more memory than such a file should"),
        CASE(TENSOR(BYTES("\x08"), "K\0K\x03\x85\x8a\x08\0\0\0\0\0\0\0\x7f\x85\x89)"), ALIGN_ERROR_FORMAT,
             "beyond its storage"),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_open_fails(make_zip(cases[i].pickle, cases[i].size, 8), cases[i].status, cases[i].text);
    assert_false(al_is_file("/tmp/align-was-here"));
}

/* A hundred thousand lists in lists, and a list that holds itself: nothing recurses. */
static void deep_and_circular(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    al_buffer deep = {0};
    al_buffer_puts(&deep, "}X");
    al_buffer_put_le(&deep, 1, 4);
    al_buffer_puts(&deep, "a");
    for (int i = 0; i < DEPTH; i++)
        al_buffer_putc(&deep, ']');
    for (int i = 0; i < DEPTH - 1; i++)
        al_buffer_putc(&deep, 'a');
    al_buffer_puts(&deep, "s.");
    assert_open_fails(make_zip(deep.data, deep.size, 8), ALIGN_ERROR_FORMAT, "key a: expected a tensor, found a list");
    deep.size = 0;
    for (int i = 0; i < DEPTH; i++)
        al_buffer_putc(&deep, '(');
    al_buffer_puts(&deep, ".");
    assert_open_fails(make_zip(deep.data, deep.size, 8), ALIGN_ERROR_FORMAT, "missing on the stack");
    al_buffer_done(&deep);
    assert_open_fails(MADE("]q\0h\0a.", 8), ALIGN_ERROR_FORMAT, "found a list");
}

static void containers(void **state)
{
    (void)state;
    al_zip_writer *zip;
    assert_int_equal(al_zip_writer_open(&zip, in_scratch("made.bin"), false, NULL), ALIGN_OK);
    assert_int_equal(al_zip_writer_add(zip, "word/document.xml", "<x/>", 4, NULL), ALIGN_OK);
    assert_int_equal(al_zip_writer_commit(zip, NULL), ALIGN_OK);
    assert_open_fails(in_scratch("made.bin"), ALIGN_ERROR_FORMAT, "no data.pkl");

    assert_int_equal(al_zip_writer_open(&zip, in_scratch("made.bin"), false, NULL), ALIGN_OK);
    assert_int_equal(al_zip_writer_add(zip, "x/data.pkl", "}.", 2, NULL), ALIGN_OK);
    assert_int_equal(al_zip_writer_add(zip, "x/byteorder", "big", 3, NULL), ALIGN_OK);
    assert_int_equal(al_zip_writer_commit(zip, NULL), ALIGN_OK);
    assert_open_fails(in_scratch("made.bin"), ALIGN_ERROR_UNSUPPORTED, "byteorder");
}

/* The legacy container: the golden one with each of its parts changed. */
static void legacy_parts(void **state)
{
    (void)state;
    char *bytes;
    size_t size;
    assert_int_equal(al_file_read(&bytes, &size, GOLDEN("legacy.bin"), 100000, NULL), ALIGN_OK);
    bytes[4] ^= 1; /* the magic number */
    write_scratch("made.bin", bytes, size);
    assert_open_fails(in_scratch("made.bin"), ALIGN_ERROR_FORMAT, "magic number");
    bytes[4] ^= 1;
    bytes[18] ^= 1; /* 80 02 8a 0a <10> 2e | 80 02 4d e9 03 2e */
    write_scratch("made.bin", bytes, size);
    assert_open_fails(in_scratch("made.bin"), ALIGN_ERROR_FORMAT, "protocol 1001");
    bytes[18] ^= 1;
    char *endian = bytes + 21;
    while (memcmp(endian, "little_endian", 13) != 0)
        endian++;
    while (*endian != '\x88')
        endian++;
    *endian = '\x89';
    write_scratch("made.bin", bytes, size);
    assert_open_fails(in_scratch("made.bin"), ALIGN_ERROR_UNSUPPORTED, "little-endian");
    *endian = '\x88';
    write_scratch("made.bin", bytes, size - 1);
    assert_open_fails(in_scratch("made.bin"), ALIGN_ERROR_FORMAT, "truncated");
    al_free(bytes);
}

static void unwritable(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(al_torch_write(NULL, 0, in_scratch("none/a.bin"), false, &err), ALIGN_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "none/a.bin"));
    assert_int_equal(al_torch_write(NULL, 0, in_scratch("zero.bin"), false, NULL), ALIGN_OK);
    align_tensors *none = open_tensors(in_scratch("zero.bin"));
    assert_int_equal(align_tensors_count(none), 0);
    align_tensors_free(none);
}

static void memory_runs_out(void **state)
{
    (void)state;
    static const char *const files[] = {GOLDEN("views.bin"), GOLDEN("views_legacy.bin")};
    align_tensors *truth = open_tensors(GOLDEN("truth.safetensors"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        empty_folder(scratch);
        align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
        for (long n = 1; status != ALIGN_OK; n++) {
            align_tensors *tensors = NULL;
            al_save_item items[32];
            al_memory_fail_at(n);
            status = align_tensors_open(&tensors, files[i], NULL);
            if (status == ALIGN_OK)
                status = al_torch_write(items, all_items(tensors, items), in_scratch("copy"), true, NULL);
            al_memory_fail_at(0);
            align_tensors_free(tensors);
            assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
            assert_int_equal(count_files(scratch), status == ALIGN_OK);
        }
        align_tensors *copy = open_tensors(in_scratch("copy"));
        assert_same_tensors(copy, truth);
        align_tensors_free(copy);
    }
    align_tensors_free(truth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_the_same),
        cmocka_unit_test(contiguous_tensors_stay_in_the_map),
        cmocka_unit_test(written_and_read_back),
        cmocka_unit_test(views),
        cmocka_unit_test(old_opcodes),
        cmocka_unit_test(refused),
        cmocka_unit_test(deep_and_circular),
        cmocka_unit_test(containers),
        cmocka_unit_test(legacy_parts),
        cmocka_unit_test(unwritable),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
