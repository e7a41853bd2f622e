# A model folder without files.
mkdir folder && "$ALIGN" embed --text cat --model folder
