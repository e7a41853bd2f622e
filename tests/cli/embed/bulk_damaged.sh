# A damaged shard is embedded up to the damage; a picture that cannot be read is listed; a shard that cannot be is named.
. "$SOURCE/tests/cli/embed/shards.inc"
shard a.tar 1 3 && shard b.tar 1 3 && head -c 5000 b.tar >c && mv c b.tar && : >empty.tar && printf '\037\213' >zip.tar
mkdir s && cp "$DATA/hub/wide.jpg" s/1.jpg && head -c 900 s/1.jpg >s/2.jpg && tar --format=ustar -C s -cf c.tar 1.jpg 2.jpg
bulk *.tar none.tar --output out; echo $?
grep -c . out/b.jsonl out/c.jsonl out/empty.jsonl && ls out | grep -c zip
grep '2.jpg' out/manifest.json | grep -o 'c.tar: 2.jpg.*' && grep -o '"damage": "[a-z]*.tar: [a-z]*' out/manifest.json
bulk a.tar b.tar --output out; echo $?
