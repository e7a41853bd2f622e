# Within one folder.
. "$SOURCE/tests/cli/duplicates/setup.inc"
duplicates photos/copies
rm photos/copies/apple3.png && duplicates photos/copies
