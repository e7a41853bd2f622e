# A text named twice is printed twice.
"$ALIGN" embed --text cat dog cat --model "$DATA/hub" >o
sed -n 1p o >a && sed -n 3p o >b && cmp a b && wc -l <o | tr -d " "
