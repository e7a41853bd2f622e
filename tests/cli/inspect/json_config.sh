# The whole config, what is at its default included.
"$ALIGN" inspect "$DATA/hub" --json | tr ',{' '\n\n' | grep -E '^"(hidden_size|use_cache|F32|I64|squeeze_expansion_ratio|missing)"' 
