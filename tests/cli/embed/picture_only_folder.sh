# A folder that knows pictures only.
mkdir m && cp "$DATA/hub/config.json" "$DATA/hub/preprocessor_config.json" "$DATA/hub/model.safetensors" m
"$ALIGN" embed --image "$DATA/hub/tall.png" --model m | wc -l | tr -d " "
"$ALIGN" embed --text cat --model m
