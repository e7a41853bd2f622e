#ifndef AL_PRUNING_H
#define AL_PRUNING_H
/*
 * pruning.h: attention heads that were taken out of the text tower. A config says which in its key
 * "pruned_heads": {"layer": [heads]}, counted as before any pruning.
 */
#include <align/config.h>

/*
 * Marks the pruned heads of a layer in pruned[num_attention_heads] (all others false) and counts those left. FORMAT
 * where the key is not as above; num_attention_heads must be positive.
 */
align_status al_pruned_heads_get(const align_text_config *config, int64_t layer, bool *pruned, int64_t *left,
                                 align_error *err);

/* Writes them for one layer. */
align_status al_pruned_heads_set(align_text_config *config, int64_t layer, const bool *pruned, align_error *err);

/* Every layer and head named exists, and every layer keeps a head. */
align_status al_pruned_heads_check(const align_text_config *config, align_error *err);
#endif
