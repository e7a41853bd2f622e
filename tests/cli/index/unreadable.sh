# Broken files are listed at the end and hurt nobody, nor do files of their very content.
mkdir photos && cp "$DATA/hub/tall.png" photos/a.png && head -c 700 "$DATA/hub/tall.png" >photos/cut.png
cp photos/cut.png photos/dut.png && echo broken >photos/z.jpg && : >photos/empty.gif && ln -s nowhere photos/link.png
"$ALIGN" index photos --model "$DATA/hub" --store p.db
