# Pictures are turned upright unless asked otherwise: the files differ in their mark only.
P="$DATA/processor/pictures"
for option in '' '--orientation ignore' '--orientation apply'; do
    "$ALIGN" process --image "$P/exif1.jpg" --model "$DATA/hub" --output upright.safetensors $option
    "$ALIGN" process --image "$P/exif6.jpg" --model "$DATA/hub" --output turned.safetensors $option
    cmp -s upright.safetensors turned.safetensors
    echo $?
done
