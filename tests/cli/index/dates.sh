# When a picture was taken: as its EXIF data say; or else when its file was modified.
mkdir photos && cp "$DATA/hub/tall.png" photos/a.png && touch -d '2001-02-03T04:05:06Z' photos/a.png
printf '\377\330\377\341\000\162Exif\000\000MM\000*\000\000\000\010\000\001\207\151\000\004\000\000\000\001\000\000\000\032\000\000\000\000\000\002\220\003\000\002\000\000\000\024\000\000\000\070\220\021\000\002\000\000\000\007\000\000\000\114\000\000\000\0002019:08:07 10:11:12\000+02:00\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000' >photos/b.jpg
tail -c +3 "$DATA/hub/wide.jpg" >>photos/b.jpg
"$ALIGN" index photos --model "$DATA/hub" --store p.db
"$ALIGN" search x --model "$DATA/hub" --store p.db --json | grep -o '"taken":"[^"]*"' | sort
