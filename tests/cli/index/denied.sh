# A folder that may not be read is named, and loses nothing.
[ "$(id -u)" -ne 0 ] || command -v setpriv >/dev/null || { echo "needs a user who may not read everything"; exit 77; }
mkdir -p photos/secret && cp "$DATA/hub/tall.png" photos/secret/a.png && cp "$DATA/hub/wide.jpg" photos/b.jpg
chmod -R a+rX . .. && chmod a+w .
as_nobody() { if [ "$(id -u)" -eq 0 ]; then setpriv --reuid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"; else "$@"; fi; }
as_nobody test -r "$DATA/hub/config.json" -a -x "$ALIGN" || { echo "the tree may not be read by others"; exit 77; }
as_nobody "$ALIGN" index photos --model "$DATA/hub" --store p.db
chmod 0 photos/secret
as_nobody "$ALIGN" index photos --model "$DATA/hub" --store p.db --prune
