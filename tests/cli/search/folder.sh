# In one folder and below it, named in any way, there or not; in any of several.
. "$SOURCE/tests/cli/search/setup.inc"
search a dog --folder photos/fruit --paths | sort
cd photos/fruit && search a dog --folder ../animals/ --paths | sort
search a dog --folder ../anim
echo --- && search a dog --folder ../animals --folder .. --folder . --folder=../animals --paths | sort
echo --- && search --folder ../animals --folder . --sort path --paths
