# Pictures for terminals, in the way that is named.
. "$SOURCE/tests/cli/search/setup.inc"
"$ALIGN" search a dog --top 1 --show=symbols >symbols 2>message
grep "built without" message && exit 77
escape=$(printf '\033')
grep -q "$escape\[" symbols && echo symbols
"$ALIGN" search a dog --top 1 --show=kitty | grep -a -c "${escape}_Ga=T"
"$ALIGN" search a dog --top 1 --show=sixel | grep -a -c "${escape}P0;1;0q"
"$ALIGN" search a dog --top 1 --show=iterm | grep -a -c "${escape}]1337;File="
"$ALIGN" search a dog --top 1 --show | wc -l
