# Towers saved alone.
"$ALIGN" inspect "$DATA/models/tiny_text" | head -n 1 | cut -d " " -f 1-12
"$ALIGN" inspect "$DATA/models/tiny_vision" --json | cut -d , -f 2
