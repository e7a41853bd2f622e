# Gradients of every parameter and updated statistics, beside the outputs of the training pass: what strays from the
# reference, but for gradients that are zero within rounding, and how many of each there are.
run=$DATA/models/tiny/gradients/train.safetensors
"$ALIGN" forward --quiet --model "$DATA/models/tiny" --inputs "$run" --output o.safetensors --return-loss --gradients 2>warnings || cat warnings
"$COMPARE" "$run" o.safetensors 1e-4 >found
grep 'differs by' found | awk '$NF > 1e-6'
grep 'not expected' found | sort
sed -n 's/^\([a-z_]*\)[ .].*/\1/p' found | sort | uniq -c | awk '{ print $2, $1 }'
