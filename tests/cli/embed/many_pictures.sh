# Pictures are decoded by several threads, and come out in order all the same; a broken one does not shift the rest.
mkdir photos
for n in 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
    cp "$DATA/hub/tall.png" photos/${n}a.png
    cp "$DATA/hub/wide.jpg" photos/${n}b.jpg
done
echo broken >photos/13b.jpg
"$ALIGN" embed --image photos --model "$DATA/hub" --threads 6 >six 2>/dev/null; echo $?
"$ALIGN" embed --image photos --model "$DATA/hub" --threads 1 >one 2>/dev/null; echo $?
cmp one six && wc -l <six | tr -d ' '
cut -f 1 six | sort -c && cut -f 2- six | sort -u | wc -l | tr -d ' '
