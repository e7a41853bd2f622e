# Names of pictures find what brute force finds: vectors as `align embed` prints them, and every product of two.
ALIGN_STORE=$(pwd -P)/index.db
export ALIGN_STORE
mkdir photos && cp "$MODELS"/demo/*.png "$MODELS"/demo/*.jpg "$MODELS"/demo/*.gif "$MODELS"/demo/*.webp photos
"$ALIGN" index photos --quiet >/dev/null || exit 1
ls photos >files
"$ALIGN" embed --image photos | sed 's|.*photos/||' >pictures.tsv
while read -r file; do
    name=$(echo "${file%.*}" | tr _ ' ')
    "$ALIGN" search "$name" --json | sed "s|.*\"score\":\([^,]*\),.*\"path\":\"[^\"]*/\([^/\"]*\)\".*|$file\t\2\t\1|" >>found.tsv
    "$ALIGN" embed --text "$name" | sed "s|^[^\t]*|$file|" >>texts.tsv
done <files
# Prints recall of the lists found and of those by brute force; and where a list is not the best that there is, but for
# what f16 takes from a vector.
awk -F '\t' -v most=0.001 '
    FILENAME == "pictures.tsv" { files[++n] = $1; for (i = 2; i <= NF; i++) picture[n, i] = $i; width = NF; next }
    FILENAME == "texts.tsv" {
        for (p = 1; p <= n; p++) {
            dot = 0
            for (i = 2; i <= width; i++) dot += $i * picture[p, i]
            score[$1, files[p]] = dot
        }
        next
    }
    {
        place = ++count[$1]
        if ($2 == $1) found[place]++
        d = $3 - score[$1, $2]
        if (d > most || d < -most) print $1 ": " $2 " has another score: " $3 ", not " score[$1, $2]
        better = 0
        for (p = 1; p <= n; p++) if (score[$1, files[p]] > score[$1, $2] + most) better++
        if (better >= place) print $1 ": " $2 " is no " place ". best"
    }
    END {
        for (f = 1; f <= n; f++) {
            if (count[files[f]] != 10) print files[f] ": " count[files[f]] " found, not 10"
            rank = 1
            for (p = 1; p <= n; p++) if (score[files[f], files[p]] > score[files[f], files[f]]) rank++
            brute[rank]++
        }
        for (k = 1; k <= 10; k++) {
            a += found[k]
            b += brute[k]
            if (k == 1 || k == 5 || k == 10) printf "recall@%d of %d: %s\n", k, n, (a == b && n < 4 * a ? "the same" : a ", by brute force " b)
        }
    }' pictures.tsv texts.tsv found.tsv
