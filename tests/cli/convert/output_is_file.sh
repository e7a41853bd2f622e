# An output that is a file.
echo before >o && "$ALIGN" convert --model "$DATA/models/tiny" --output o; echo $?; cat o
