# A model for programs.
cd "$DATA/hub"
"$ALIGN" inspect . --json | tr "," "\n" | sed -n "s/^\"\(class\|parameters\|stored_bytes\|image_size\|tokens\)\".*/&/p"
