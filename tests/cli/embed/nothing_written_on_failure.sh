# A failure leaves the old file and nothing beside it.
echo before >o.npy
"$ALIGN" embed --image "$DATA/hub/tall.png" none.png --output o.npy --model "$DATA/hub"; echo $? && cat o.npy && ls
