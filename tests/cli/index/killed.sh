# Killed at any moment, an index is whole, and the same command completes it, to what an undisturbed run gives.
# KILLS=200 for more of them than a test has time for; STORE for another place than a file.
store=${STORE:-$TMP/p.db}
mkdir photos
for n in $(seq 1 200); do
    { cat "$DATA/hub/wide.jpg" && printf '%d' $n; } >photos/$n.jpg
done
index() { "$ALIGN" index photos --model "$DATA/hub" --threads 1 --store "$@"; }
list() { "$ALIGN" search x --model "$DATA/hub" --store "$1" --top 1000 --json | sed 's/"id":[0-9]*,//; s/\("score":-*[0-9]*\.[0-9][0-9]\)[0-9]*/\1/' | sort; }
index undisturbed.db >/dev/null
for moment in $(seq 1 "${KILLS:-8}"); do
    index "$store" >/dev/null &
    killed=$!
    sleep "$(printf '0.%03d' $((moment * 47 % 160)))" # which is as long as the work takes, more or less
    kill -9 $killed 2>/dev/null
    wait $killed 2>/dev/null
    [ $((moment % 8)) -ne 0 ] || [ "$moment" -eq "${KILLS:-8}" ] || "$ALIGN" index remove photos --store "$store" >/dev/null 2>&1
done
index "$store" >/dev/null
list "$store" >killed && list undisturbed.db >undisturbed && cmp killed undisturbed
wc -l <killed | tr -d ' '
