# A large JPEG comes out nearly the same, anything else the same.
# (61 x 30 pixels are not large beside 30 x 30.)
difference() {
    "$ALIGN" process --image "$1" --model "$DATA/hub" --output exact.safetensors
    "$ALIGN" process --image "$1" --model "$DATA/hub" --output fast.safetensors --fast-decode
    cmp -s exact.safetensors fast.safetensors
    echo $?
}
difference "$MODELS/demo/pizza.jpg"
difference "$MODELS/demo/octopus.png"
difference "$DATA/hub/wide.jpg"
