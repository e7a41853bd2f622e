# A folder that knows texts only.
mkdir m && cp "$DATA/hub/"*.json "$DATA/hub/"*.safetensors "$DATA/hub/vocab.txt" m && rm m/preprocessor_config.json
"$ALIGN" embed --text cat --model m | wc -l | tr -d " "
"$ALIGN" embed --image "$DATA/hub/tall.png" --model m
