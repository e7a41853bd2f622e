# A checkpoint that somebody damaged is named, not trained on with.
. "$SOURCE/tests/cli/train/setup.inc"
train --output out >/dev/null || exit 1
cp -r out/checkpoint-24 kept
damage() {
    train --output out --resume && echo "$1: went on"
    rm -r out/checkpoint-24 && cp -r kept out/checkpoint-24
}
rm out/checkpoint-24/trainer_state.json && damage json
echo '{"format": 9}' >out/checkpoint-24/trainer_state.json && damage format
head -c 3000 kept/trainer_state.safetensors >out/checkpoint-24/trainer_state.safetensors && damage state
rm out/checkpoint-24/model.safetensors && damage model
cp kept/model.safetensors out/checkpoint-24/trainer_state.safetensors && damage tensors
train --output out --resume >/dev/null && echo "whole again"
