# What was written, for programs.
"$ALIGN" process --text cat --model "$DATA/hub" --output o.safetensors --json
