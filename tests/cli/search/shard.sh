# Pictures in tar files: their names, their small pictures.
here=$(pwd -P)
mkdir s && cp "$MODELS/demo/apple.png" s/1.png && echo "a red apple" >s/1.txt && cp "$MODELS/demo/dog.png" s/2.png && echo "a dog" >s/2.txt
tar --format=ustar -C s -cf s.tar 1.png 1.txt 2.png 2.txt
ALIGN_STORE=$here/index.db
export ALIGN_STORE
"$ALIGN" index s.tar --quiet >/dev/null || exit 1
"$ALIGN" search fruit | sed "s|$here/||; s|[0-9-]*  72x72|DATE  72x72|"
"$ALIGN" search fruit --paths | sed "s|$here/||"
"$ALIGN" search fruit --html page.html && grep -c "<img" page.html
tar --format=ustar -C s -cf s.tar 2.png 2.txt
"$ALIGN" search fruit --html page.html && grep -c "<img" page.html && grep -o "no picture: .*any more" page.html | sed "s|$here/||"
