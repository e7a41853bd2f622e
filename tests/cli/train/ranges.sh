# What the library judges is said of the option, not of its field.
reject() {
    expected=$1
    shift
    "$ALIGN" train --model "$DATA/hub" --data "$MODELS/demo/pictures.tsv" --output out "$@" 2>message
    [ $? -eq 2 ] || echo "$*: wrong exit code"
    grep -qF -e "align: train: $expected" message || cat message
}
reject "--temperature-min: expected at most the largest temperature, 1, found 5" --temperature-min 5 --temperature-max 1
reject "--crop: expected at most 1, found 2" --crop 2
reject "--flip: expected at most 1, found 1.5" --flip 1.5
reject "--warmup: expected at most all steps, 5, found 6" --steps 5 --warmup 6
