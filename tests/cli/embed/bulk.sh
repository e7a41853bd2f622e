# A shard becomes vectors, a row a picture with what is said about it, and a record; what is done is not done again.
. "$SOURCE/tests/cli/embed/shards.inc"
mkdir -p in/s && cd in
cp "$DATA/hub/tall.png" s/1.png && echo "a tall one" >s/1.txt && cp "$DATA/hub/wide.jpg" s/a.2.jpg && echo '{"caption": ["one", "two"]}' >s/a.json
tar --format=ustar -cf a.tar s/1.png s/1.txt s/a.2.jpg && tar --format=ustar -C s -cf b.tar a.json && cp "$DATA/hub/wide.jpg" s/a.jpg
tar --format=ustar -C s -rf b.tar a.jpg && tar --format=ustar -cf none.tar -T /dev/null
bulk . --output ../out/vectors/ && cd .. && ls out/vectors
cat out/vectors/a.jsonl out/vectors/b.jsonl && wc -c <out/vectors/none.npy | tr -d ' '
"$ALIGN" embed --model "$DATA/hub" --threads 1 --image in/s/1.png in/s/a.jpg --output pictures.npy
tail -c +129 out/vectors/a.npy | head -c 32 >found && tail -c +129 out/vectors/b.npy >>found
tail -c +129 pictures.npy | od -An -tf4 >expected && od -An -tf4 found | awk -f "$SOURCE/tests/cli/close.awk" expected - && head -c 75 out/vectors/b.npy | tail -c 65 && echo
grep -o '"rows": [0-9]*' out/vectors/manifest.json
bulk in/*.tar --output out/vectors
touch in/b.tar && bulk in/*.tar in/b.tar --output out/vectors --json
