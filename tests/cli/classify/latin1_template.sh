# A template in another encoding.
"$ALIGN" classify cat.png --labels cat --template "$(printf 'caf\351 {}')"
