# There must be pairs.
"$ALIGN" train --output out
