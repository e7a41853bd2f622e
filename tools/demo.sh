#!/bin/sh
# demo.sh: the main job, offline, on pictures and a model of the repository: which words fit which picture.
set -eu
cd "$(dirname "$0")/.."
set -x
build/align classify models/demo/*.png --labels-file models/demo/labels.txt --top 3
