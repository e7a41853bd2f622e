# In one folder and below it, named in any way, there or not.
. "$SOURCE/tests/cli/search/setup.inc"
search a dog --folder photos/fruit --paths | sort
cd photos/fruit && search a dog --folder ../animals/ --paths | sort
search a dog --folder ../anim
