# A command that resembles none.
"$ALIGN" paint
