# command.sh ALIGN MODELS: the command with an index on a server and one in a file: the same is found in both, while a
# process indexes two others search, and no message shows the password.
set -eu
align=$1 models=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
XDG_CACHE_HOME=$work/cache ALIGN_MODEL=$models/emoji
export XDG_CACHE_HOME ALIGN_MODEL
server="$ALIGN_TEST_SERVER#command"

fail() {
    echo "$1"
    [ ! -f out ] || cat out
    exit 1
}

# The same answer from both stores, which has what is expected, but for the last digits of scores (one has f16, the other may have f32).
both() {
    for store in file.db "$server"; do
        "$align" "$@" --store "$store" >out 2>&1 || fail "$*: failed"
        sed -E "s#(postgresql://|file\\.db)[^ ]*#STORE#g; s/([01]\\.[0-9]{2})[0-9]+/\\1/g; s/\\((sqlite|postgresql)\\)//" out >"same-$((n = ${n:-0} + 1))"
    done
    cmp "same-$((n - 1))" "same-$n" || fail "$*: not the same"
    grep -q "$expected" out || fail "$*: lacks: $expected"
}

# Fails, says this, and never the password.
refused() {
    expected=$1
    shift
    ! "$align" "$@" >out 2>&1 || fail "$*: not refused"
    grep -q "$expected" out || fail "$*: lacks: $expected"
    ! grep -q secret out || fail "$*: shows the password"
}

mkdir photos more && cp "$models"/demo/[a-d]*.png photos && cp "$models"/demo/[e-z]*.png more
cp photos/dog.png photos/dog2.png
refused "run 'align index DIR'" search a dog --store "$server"
refused "run 'align index DIR'" index status --store "$server"
refused "does not exist" index status --store "$ALIGN_TEST_SERVER-none#command"

expected="0 unchanged"
both index photos --quiet
expected="0 added"
both index photos --quiet
expected=dog.png
both search a dog --top 3
both search a dog --top 3 --paths
both search a dog --threshold 0.1 --sort path --paths
expected=photos/
both search --sort path --top 5 --page 2 --paths --folder photos --folder more
expected=dog.png
both search --image photos/dog.png --top 2 --paths
both duplicates --threshold 0.999 --paths
expected="1 removed"
both index remove photos/dog2.png
expected="1 added"
both index photos --quiet
expected="nothing was lost"
both index repair
for store in file.db "$server"; do
    "$align" index vacuum --store "$store" >out 2>&1 && grep -q dropped out || fail "vacuum"
done

# Whoever searches sees what had been stored when he began: never less than before, and every time something.
searches() {
    for i in 1 2 3 4 5 6 7 8; do
        "$align" search --image photos/cat.png --top 1000 --paths --store "$1" >"$2-$i" || return 1
        [ "$i" = 1 ] || [ "$(wc -l <"$2-$i")" -ge "$(wc -l <"$2-$((i - 1))")" ] || return 1
    done
}
for store in file.db "$server"; do
    searches "$store" first & first=$!
    searches "$store" second & second=$!
    "$align" index more --quiet --store "$store" >out 2>&1 || fail "index"
    wait $first && wait $second || fail "searches while another process indexes: $store"
done
expected="0 added"
both index photos more --quiet
