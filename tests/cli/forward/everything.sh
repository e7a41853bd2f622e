# All outputs of AlignModel.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/forward.safetensors" --output o.safetensors --quiet --return-loss --output-hidden-states --output-attentions && "$COMPARE" "$DATA/models/tiny/runs/forward.safetensors" o.safetensors 1e-5 | sort
