# What does not go together.
. "$SOURCE/tests/cli/embed/shards.inc"
shard a.tar 1 2 && mkdir none && : >file
bulk a.tar || echo $?
bulk a.tar --output out --text cat || echo $?
bulk a.tar file --output out || echo $?
bulk none --output out || echo $?
bulk a.tar --output file || echo $?
bulk a.tar --output file/out || echo $?
"$ALIGN" embed --text cat --dtype f16 --output o.npy || echo $?
"$ALIGN" embed --text cat --parquet || echo $?
