# A table of each shard; asked for later, it is made then.
. "$SOURCE/tests/cli/embed/shards.inc"
shard a.tar 1 3
bulk a.tar --output out && ls out
bulk a.tar --output out --parquet && ls out
bulk a.tar --output out --parquet && bulk a.tar --output out
head -c 4 out/a.parquet && tail -c 4 out/a.parquet && grep -o '"parquet": [0-9]*' out/manifest.json && wc -c <out/a.parquet | tr -d ' '
tail -c +129 out/a.npy | od -An -v -tx1 | tr -d ' \n' >vectors && od -An -v -tx1 out/a.parquet | tr -d ' \n' | grep -c -F -f vectors
