# What was encoded comes back.
"$ALIGN" process --text "a photo of the dog." --model "$DATA/hub" --padding do_not_pad --output o.safetensors
"$ALIGN" decode --skip-special-tokens 5 83 84 87 86 41 --model "$DATA/hub"
