# From scratch: the same seed gives the same model, another one another.
scratch() {
    "$ALIGN" train --config "$DATA/hub" --data "$MODELS/demo/pictures.tsv" --batch 16 --steps 4 --optimizer lamb \
        --schedule cosine --accumulate 2 --slice 4 --clip 1 --output "$@" >/dev/null
}
scratch one --seed 3 && scratch two --seed 3 --threads 2 --loader-threads 2 && scratch other --seed 4
cmp one/model.safetensors two/model.safetensors && echo the same
cmp -s one/model.safetensors other/model.safetensors || echo another
