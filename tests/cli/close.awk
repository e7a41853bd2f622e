# close.awk EXPECTED FOUND: whether two texts are the same but for small differences of their numbers: at most 2e-5, or
# 2e-5 of the number where that is more.
function abs(x) { return x < 0 ? -x : x }

# Splits a line into numbers, in found[1..], and returns the rest with a mark in place of each.
function split_numbers(line, found,    rest, n) {
    rest = ""
    n = 0
    while (match(line, /-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?/)) {
        found[++n] = substr(line, RSTART, RLENGTH) + 0
        rest = rest substr(line, 1, RSTART - 1) "#"
        line = substr(line, RSTART + RLENGTH)
    }
    return rest line
}

function differ(why) {
    print "line " FNR ": " why
    wrong = 1
    exit
}

NR == FNR { expected[FNR] = $0; lines = FNR; next }

{
    found_lines = FNR
    if (FNR > lines) differ("more than expected")
    split("", a)
    split("", b)
    if (split_numbers(expected[FNR], a) != split_numbers($0, b)) differ("another text")
    for (i in a)
        if (abs(a[i] - b[i]) > 2e-5 * (abs(a[i]) > 1 ? abs(a[i]) : 1)) differ("expected " a[i] ", found " b[i])
}

END {
    if (!wrong && found_lines != lines) {
        print "fewer lines than expected"
        wrong = 1
    }
    exit wrong
}
