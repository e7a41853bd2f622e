# A name of the hub is not mistaken for a folder that lacks something.
"$ALIGN" embed --text cat --model kakaobrain/align-base
