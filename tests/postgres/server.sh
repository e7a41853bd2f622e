#!/bin/sh
# server.sh: a PostgreSQL server with the vector extension, on loopback, for as long as a test runs.
#
#   server.sh run COMMAND...   starts one in a folder of its own, runs the command, and removes all again. The command
#                              finds ALIGN_TEST_SERVER (the address of a database on it), and may call this script;
#                              ALIGN_TEST_SERVER_OPTIONS are more words for postgres
#   server.sh kill | start     ends all processes of the server at once, as if by a failure of power; starts it again
#   server.sh hide | show      takes the extension away, and gives it back (77 where the server is not a copy)
#
# The server is PyPI's pgserver, of the Python that ALIGN_TEST_PGSERVER names or of that in $ALIGN_TEST_BUILD/pgserver
# (tools/pgserver.sh), or else the newest one of the system. Exit code 77: there is none.
set -eu

folder=${ALIGN_TEST_SERVER_FOLDER:-}

# PostgreSQL does not run as root.
as_user() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}

# Sets bin: where the programs are.
find_programs() {
    python=${ALIGN_TEST_PGSERVER:-${ALIGN_TEST_BUILD:-.}/pgserver/bin/python}
    package=
    if [ -x "$python" ]; then
        package=$("$python" -c 'import importlib.util as u; s = u.find_spec("pgserver"); print(s.submodule_search_locations[0] if s else "")')
    fi
    if [ -n "$package" ]; then
        # Root's files may be nobody else's to read: the server runs from a copy.
        mkdir "$folder/programs"
        for part in "$package" "$package.libs"; do
            [ ! -d "$part" ] || cp -R "$part" "$folder/programs/"
        done
        chmod -R a+rX "$folder/programs"
        bin=$folder/programs/pgserver/pginstall/bin
        return
    fi
    for bin in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V -r) $(dirname "$(command -v postgres || true)"); do
        [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ] && [ -f "$("$bin/pg_config" --sharedir)/extension/vector.control" ] && return
    done
    echo "no PostgreSQL with the vector extension here" >&2
    exit 77
}

start() {
    # Connections are not refused for being many, and nothing waits for a disk: what ends here is never the machine.
    as_user "$(cat "$folder/bin")/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 -s -o "-p $(cat "$folder/port") -k '' \
        -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=60 -c shared_buffers=64MB ${ALIGN_TEST_SERVER_OPTIONS:-}" start >/dev/null
}

make() {
    printf '%s' "$bin" >"$folder/bin"
    printf 'secret of the test' >"$folder/password"
    [ "$(id -u)" != 0 ] || chown -R 65534:65534 "$folder"
    as_user "$bin/initdb" -D "$folder/data" -U align -A scram-sha-256 --pwfile="$folder/password" -E UTF8 --locale=C \
        --no-sync >"$folder/initdb" 2>&1 || { cat "$folder/initdb" >&2; exit 1; }
    for try in 1 2 3 4 5 6 7 8; do
        printf '%s' $((20000 + ($$ * 7 + try * 1009) % 20000)) >"$folder/port"
        start 2>/dev/null && return
    done
    cat "$folder/log" >&2
    exit 1
}

# The first process of the server ends the others when it is gone, but for what they are at: all are ended here.
kill_all() {
    first=$(head -n 1 "$folder/data/postmaster.pid" 2>/dev/null) || return 0
    kill -9 $first $(cat "/proc/$first/task/$first/children") 2>/dev/null || true
    while kill -0 "$first" 2>/dev/null; do sleep 0.02; done
}

stop() {
    kill_all
    rm -rf "$folder"
}

run() {
    folder=$(mktemp -d "${TMPDIR:-/tmp}/align-server-XXXXXX")
    trap stop EXIT
    trap 'exit 1' INT TERM
    cd "$folder"
    find_programs
    make
    port=$(cat "$folder/port")
    export ALIGN_TEST_SERVER_FOLDER="$folder" ALIGN_TEST_SERVER_SCRIPT="$script"
    export ALIGN_TEST_SERVER="postgresql://align:secret%20of%20the%20test@127.0.0.1:$port/postgres"
    "$@"
}

script=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
command=$1
shift
case $command in
run) run "$@" ;;
start) start ;;
kill) kill_all ;;
hide) [ -d "$folder/programs" ] || exit 77; cd "$folder"/programs/pgserver/pginstall/share/postgresql/extension && mv -f vector.control hidden ;;
show) cd "$folder"/programs/pgserver/pginstall/share/postgresql/extension && mv -f hidden vector.control ;;
*) echo "server.sh run COMMAND... | kill | start | hide | show" >&2; exit 2 ;;
esac
