# server.cmake: `align serve` (apps/server/), where libmicrohttpd is installed: the sources in SERVER_SOURCES for the
# command, and room_server, everything but the command itself, for it and the tests.
set(server_folder ${CMAKE_CURRENT_SOURCE_DIR}/apps/server)
if(ALIGN_SERVER STREQUAL "ON")
  pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.75)
elseif(ALIGN_SERVER STREQUAL "AUTO")
  pkg_check_modules(MICROHTTPD IMPORTED_TARGET libmicrohttpd>=0.9.75)
endif()
if(NOT MICROHTTPD_FOUND)
  set(SERVER_SOURCES ${server_folder}/no_server.c)
  return()
endif()

set(server_files
  "/=page/index.html=text/html"
  "/style.css=page/style.css=text/css"
  "/app.js=page/app.js=text/javascript"
  "/classify.js=page/classify.js=text/javascript"
  "/common.js=page/common.js=text/javascript"
  "/search.js=page/search.js=text/javascript"
  "/openapi.json=openapi.json=application/json")
foreach(name cat.png strawberry.png bicycle.png rocket.webp pizza.jpg sailboat.png)
  string(REGEX REPLACE ".*\\.jpg$" "image/jpeg" type ${name})
  string(REGEX REPLACE ".*\\.([a-z]+)$" "image/\\1" type ${type})
  list(APPEND server_files "/examples/${name}=../../models/demo/${name}=${type}")
endforeach()
set(server_inputs "")
set(server_list "")
foreach(entry IN LISTS server_files)
  string(REGEX REPLACE "^[^=]*=([^=]*)=.*" "\\1" file "${entry}")
  list(APPEND server_inputs ${server_folder}/${file})
  string(APPEND server_list "${entry}|")
endforeach()
add_custom_command(
  OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/server_assets.c
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${CMAKE_CURRENT_BINARY_DIR}/server_assets.c -DFOLDER=${server_folder}
          "-DFILES=${server_list}" -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${server_inputs} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed.cmake
  VERBATIM)

file(GLOB server_sources CONFIGURE_DEPENDS ${server_folder}/*.c)
list(FILTER server_sources EXCLUDE REGEX "/(no_server|serve)\\.c$")
if(TARGET room_search)
  list(FILTER server_sources EXCLUDE REGEX "/no_gallery\\.c$")
else()
  list(FILTER server_sources EXCLUDE REGEX "/(gallery|pictures|thumbnails|search[a-z_]*)\\.c$")
endif()
# Pictures from addresses.
if(ALIGN_CURL STREQUAL "ON")
  pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.85)
elseif(ALIGN_CURL STREQUAL "AUTO")
  pkg_check_modules(CURL IMPORTED_TARGET libcurl>=7.85)
endif()
if(TARGET PkgConfig::CURL)
  list(FILTER server_sources EXCLUDE REGEX "/no_download\\.c$")
else()
  list(FILTER server_sources EXCLUDE REGEX "/download\\.c$")
endif()
add_library(room_server OBJECT ${server_sources} ${CMAKE_CURRENT_BINARY_DIR}/server_assets.c)
target_compile_definitions(room_server PRIVATE _GNU_SOURCE) # POLLRDHUP
target_include_directories(room_server PRIVATE include ${server_folder})
target_link_libraries(room_server PUBLIC PkgConfig::MICROHTTPD PkgConfig::JANSSON Threads::Threads m)
if(TARGET PkgConfig::CURL)
  target_link_libraries(room_server PUBLIC PkgConfig::CURL)
endif()
set(SERVER_SOURCES ${server_folder}/serve.c $<TARGET_OBJECTS:room_server>)
