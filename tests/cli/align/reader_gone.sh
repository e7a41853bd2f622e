# A reader that left is a failure, without a message.
mkfifo pipe && exec 3<>pipe 4>pipe 3<&-
cd "$DATA" || exit
for command in "--help" "help embed" "inspect models/tiny --tensors"; do "$ALIGN" $command >&4; echo $?; done
