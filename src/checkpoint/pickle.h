#ifndef AL_PICKLE_H
#define AL_PICKLE_H
/*
 * pickle.h: reading the pickles that PyTorch writes, without executing anything.
 *
 * A pickle is a program for a stack machine that can call any function by name. Here the machine (pickle.c) builds
 * plain values only; the few names that tensors need are known to torch_objects.c, which makes descriptions of storages
 * and tensors for them. Any other name ends the reading with an error that gives it.
 *
 * All values live in one arena as long as the al_pickle does. Every opcode makes at most one value and nothing
 * recurses, so memory is bounded by a small multiple of the pickle's size.
 */
#include <align/tensor.h>

typedef enum al_pickle_kind {
    AL_PICKLE_NONE,
    AL_PICKLE_BOOL,
    AL_PICKLE_INT,
    AL_PICKLE_BIG,   /* an integer beyond 64 bits: its little-endian bytes in text */
    AL_PICKLE_FLOAT, /* its value is never needed, nor kept */
    AL_PICKLE_TEXT,
    AL_PICKLE_BYTES,
    AL_PICKLE_TUPLE,
    AL_PICKLE_LIST,
    AL_PICKLE_DICT, /* items: key, value, key, value, ... in the order they were set */
    AL_PICKLE_GLOBAL,
    AL_PICKLE_STORAGE,
    AL_PICKLE_TENSOR,
    AL_PICKLE_MARK
} al_pickle_kind;

typedef enum al_torch_function {
    AL_TORCH_ORDERED_DICT,
    AL_TORCH_REBUILD_TENSOR, /* _rebuild_tensor and _rebuild_tensor_v2 */
    AL_TORCH_REBUILD_PARAMETER,
    AL_TORCH_STORAGE_TYPE
} al_torch_function;

/* A name of the whitelist. */
typedef struct al_torch_global {
    const char *module, *name;
    al_torch_function function;
    align_dtype dtype; /* of a storage type */
} al_torch_global;

typedef struct al_torch_storage {
    align_dtype dtype;
    const char *key; /* not terminated */
    size_t key_size;
    int64_t count;       /* elements */
    const uint8_t *data; /* NULL until the container was looked up */
} al_torch_storage;

/* Offset and strides in elements, not yet checked against the storage. */
typedef struct al_torch_tensor {
    const al_torch_storage *storage;
    int64_t offset;
    int rank;
    int64_t shape[ALIGN_MAX_RANK], stride[ALIGN_MAX_RANK];
} al_torch_tensor;

typedef struct al_pickle_value al_pickle_value;
struct al_pickle_value {
    al_pickle_kind kind;
    union {
        bool truth;
        int64_t integer;
        struct {
            const char *bytes; /* in the file, not terminated */
            size_t size;
        } text;
        struct {
            al_pickle_value **items;
            size_t count, capacity;
        } list; /* tuple, list, dict */
        const al_torch_global *global;
        al_torch_storage *storage;
        al_torch_tensor *tensor;
    } u;
};

typedef struct al_pickle_list {
    al_pickle_value **items;
    size_t count, capacity;
} al_pickle_list;

typedef struct al_pickle {
    const uint8_t *data;
    size_t size, at; /* at: the next byte; after a load, the first behind the pickle */
    const char *path;
    struct al_pickle_block *blocks; /* the arena */
    al_pickle_list stack, memo;
    size_t *marks; /* heights of the stack */
    size_t mark_count, mark_capacity;
    al_torch_storage **storages; /* one each time one is named */
    size_t storage_count, storage_capacity;
} al_pickle;

/* path is for messages. */
void al_pickle_init(al_pickle *pickle, const uint8_t *data, size_t size, const char *path);
void al_pickle_done(al_pickle *pickle);

/* Reads one pickle from pickle->at on. */
align_status al_pickle_load(al_pickle *pickle, al_pickle_value **root, align_error *err);

/* ---- between pickle.c and torch_objects.c ---- */

void *al_pickle_alloc(al_pickle *pickle, size_t bytes); /* zeroed; NULL without memory */
align_status al_pickle_new(al_pickle *pickle, al_pickle_kind kind, al_pickle_value **out, align_error *err);
align_status al_pickle_error(const al_pickle *pickle, align_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *al_pickle_kind_name(al_pickle_kind kind);
bool al_pickle_is_text(const al_pickle_value *value, const char *text);

/* The name "module name" if the whitelist has it. */
align_status al_torch_find_global(al_pickle *pickle, const char *module, size_t module_size, const char *name,
                                  size_t name_size, al_pickle_value **out, align_error *err);

/* What function(*arguments) stands for. */
align_status al_torch_call(al_pickle *pickle, const al_pickle_value *function, const al_pickle_value *arguments,
                           al_pickle_value **out, align_error *err);

/* What a persistent id stands for: a storage. */
align_status al_torch_persistent(al_pickle *pickle, const al_pickle_value *id, al_pickle_value **out, align_error *err);
#endif
