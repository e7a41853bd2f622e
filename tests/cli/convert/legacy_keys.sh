# Old key names become those of today.
"$ALIGN" convert --model "$DATA/models/legacy_keys" --output new --quiet && "$ALIGN" inspect new/model.safetensors | grep -c "gamma\|beta\|^align\."
