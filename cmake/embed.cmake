# embed.cmake: files as C arrays. Run by cmake -P with
#   OUTPUT   the C file to write
#   FOLDER   where the files are
#   FILES    for each "path on the server=file=type", separated by |
string(REPLACE "|" ";" FILES "${FILES}")
set(arrays "")
set(rows "")
set(number 0)
foreach(entry ${FILES})
  string(REPLACE "=" ";" entry "${entry}")
  list(GET entry 0 path)
  list(GET entry 1 file)
  list(GET entry 2 type)
  file(READ ${FOLDER}/${file} bytes HEX)
  file(SHA256 ${FOLDER}/${file} hash)
  string(SUBSTRING ${hash} 0 16 hash)
  string(REGEX REPLACE "(................................)" "\\1\n    " bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const uint8_t file_${number}[] = { /* ${file} */\n    ${bytes}};\n")
  string(APPEND rows "    {\"${path}\", \"${type}\", file_${number}, sizeof file_${number}, \"\\\"${hash}\\\"\"},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "/* Made by cmake/embed.cmake: the files that the server has in it. */\n#include \"answer.h\"\n\n"
     "${arrays}\nconst srv_asset srv_assets[] = {\n${rows}};\nconst size_t srv_n_assets = ${number};\n")
