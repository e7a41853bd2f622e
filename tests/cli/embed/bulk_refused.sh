# Vectors that were made otherwise, of another model or of other shards are not mixed.
. "$SOURCE/tests/cli/embed/shards.inc"
mkdir x y && shard x/a.tar 1 2 && shard y/a.tar 3 5 && shard manifest.tar 1 2
bulk x/a.tar --output out
bulk x/a.tar --output out --dtype f16 || echo $?
bulk x/a.tar --output out --fast-decode || echo $?
"$ALIGN" embed --images x/a.tar --output out --model "$MODELS/emoji" || echo $?
bulk x/a.tar y/a.tar --output both || echo $?
bulk y/a.tar --output out || echo $?
bulk manifest.tar --output both || echo $?
mkdir foreign && : >foreign/b.npy && bulk x/a.tar --output foreign || echo $?
cp -p x/a.tar . && bulk a.tar --output out # moved, and the same
rm out/manifest.json && bulk x/a.tar --output out # made again from the records
sed -i 's/"f32"/"f16"/' out/a.json && rm out/manifest.json && bulk x/a.tar --output out || echo $?
echo '{' >out/manifest.json && bulk x/a.tar --output out || echo $?
echo '{"format": 1}' >out/manifest.json && bulk x/a.tar --output out || echo $?
