#!/usr/bin/env bash
# The main job on what is embedded: model, clip and a broker of its own. Ctrl-C ends everything it started.
set -euo pipefail

usage() {
  cat <<'TEXT'
scripts/demo.sh [--seconds N] [--prompt "…"]… [--source URI] [-- OPTIONS OF lookout demo]
  --seconds N     end after N seconds with a summary; exit status 1 if no event came
  --prompt "…"    what to look out for (repeatable); by default a blue bicycle, a pedestrian and a yellow bus
  --source URI    another source than the embedded clip, such as rtsp://… or file:///…
TEXT
}

options=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds | --prompt | --source)
      [ $# -ge 2 ] || { usage >&2; exit 2; }
      options+=("$1" "$2"); shift 2 ;;
    -h | --help) usage; exit 0 ;;
    --) shift; options+=("$@"); break ;;
    *) printf 'unknown option: %s\n' "$1" >&2; usage >&2; exit 2 ;;
  esac
done

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
install_packages "${BUILD_PACKAGES[@]}"
need_rust
say "Building (some minutes the first time)"
cargo build --release --locked
PATH="$PATH:/usr/sbin" # where Debian puts mosquitto
lookout=${CARGO_TARGET_DIR:-target}/release/lookout

work=$(mktemp -d)
pids=()
end() {
  trap - EXIT INT TERM
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT

# A port may be taken between choosing and listening: then another is tried.
start_broker() {
  local try
  for try in 1 2 3 4 5 6 7 8 9 10; do
    port=$((20000 + RANDOM % 20000))
    printf 'listener %s 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\n' "$port" >"$work/mosquitto.conf"
    # Away from the terminal's Ctrl-C: it must still be there for the program's last words.
    setsid mosquitto -c "$work/mosquitto.conf" >/dev/null 2>&1 &
    broker=$!
    for _ in $(seq 50); do
      kill -0 "$broker" 2>/dev/null || continue 2
      if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then pids+=("$broker"); return 0; fi
      sleep 0.1
    done
    kill "$broker" 2>/dev/null || true
  done
  die "mosquitto does not start (tried $try ports)"
}

start_broker
say "A broker listens on 127.0.0.1:$port; watch it elsewhere with: mosquitto_sub -v -p $port -t 'lookout/#'"
"$lookout" watch --mqtt "mqtt://127.0.0.1:$port" &
pids+=($!)

# Away from the terminal as well: each Ctrl-C reaches it once, from here. The first ends it with its summary.
setsid "$lookout" demo --mqtt "mqtt://127.0.0.1:$port" "${options[@]}" &
demo=$!
pids=("$demo" "${pids[@]}")
trap 'kill -TERM "$demo" 2>/dev/null || true' INT TERM
status=0
wait "$demo" || status=$?
# A signal interrupts the wait; the program is then about to end.
while kill -0 "$demo" 2>/dev/null; do
  status=0
  wait "$demo" || status=$?
done
exit "$status"
