# AlignVisionModel on pictures of another size.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/other_sizes.safetensors" --output o.safetensors --quiet --tower vision && "$COMPARE" "$DATA/models/tiny/runs/other_sizes.safetensors" o.safetensors 1e-5 | sort
