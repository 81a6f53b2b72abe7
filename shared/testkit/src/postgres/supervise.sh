# Owns one temporary PostgreSQL server for the process that holds the other end of standard input.
#
# Arguments: directory for everything, directory with the server's programs, port, options of the server.
# Every line read is an order (start, stop, kill9, freeze, thaw), answered by one line: "ok" or what went wrong.
# When standard input closes, because its owner ended in whatever way, the server stops and its files go.
directory=$1 programs=$2 port=$3 options=$4 data=$1/data log=$1/log frozen=
trap '' INT TERM HUP
# Umbrellas of several processes take some dozens each, and a machine with many cores runs many tests at a time.
connections=500
cd "$directory" || exit 1

init() {
    "$programs/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null 2>"$log" &&
        printf '%s\n' 'CREATE ROLE umbel LOGIN' 'CREATE DATABASE umbel OWNER umbel' |
        "$programs/postgres" --single -D "$data" postgres >/dev/null 2>>"$log"
}

start() {
    # After a kill the old server's children need a moment to notice; until then a start is refused.
    tries=0
    until "$programs/pg_ctl" start -D "$data" -l "$log" -w -t 60 -o "-c port=$port -c listen_addresses=127.0.0.1" \
        -o "-c max_connections=$connections" \
        -o "-c unix_socket_directories='$directory' $options" >>"$log" 2>&1 </dev/null
    do
        tries=$((tries + 1))
        [ "$tries" -lt "${1:-1}" ] || return 1
        sleep 0.2
    done
}

kill9() {
    read -r pid <"$data/postmaster.pid" && kill -9 "$pid" || return 1
    while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
}

# Stops all its processes where they are: it stays connected and says nothing, as a machine that hangs.
freeze() {
    read -r pid <"$data/postmaster.pid" && kill -STOP "$pid" || return 1
    # No other child can come any more; one may have gone meanwhile.
    frozen="$pid $(ps -A -o pid= -o ppid= | awk -v parent="$pid" '$2 == parent { print $1 }')"
    kill -STOP $frozen 2>/dev/null || true
}

thaw() {
    kill -CONT $frozen 2>/dev/null || true
    frozen=
}

answer() {
    if "$@"; then echo ok; else echo "failed: $*: $(tail -n 1 "$log" 2>/dev/null)"; fi
}

while read -r order; do
    case $order in
    init)
        answer init
        ;;
    start) answer start ;;
    again) answer start 50 ;;
    stop) answer "$programs/pg_ctl" stop -D "$data" -m fast -w -s ;;
    kill9) answer kill9 ;;
    freeze) answer freeze ;;
    thaw) answer thaw ;;
    esac
done

[ -z "$frozen" ] || thaw
"$programs/pg_ctl" stop -D "$data" -m immediate -w -s >/dev/null 2>&1
cd /
# Children of a killed server may still write for a moment.
tries=0
until rm -rf "$directory" 2>/dev/null || [ "$tries" -ge 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
