# Pictures are turned upright, unless asked not to: the files differ in their EXIF mark only.
P="$DATA/processor/pictures"
for option in '' '--orientation apply' '--orientation ignore'; do
    "$ALIGN" embed --image "$P/exif1.jpg" --model "$DATA/hub" --output upright.npy $option
    "$ALIGN" embed --image "$P/exif6.jpg" --model "$DATA/hub" --output turned.npy $option
    cmp -s upright.npy turned.npy
    echo $?
done
