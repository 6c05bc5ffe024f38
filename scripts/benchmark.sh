#!/usr/bin/env bash
# The benchmark: detection, tracking and events on real footage and photos, written to docs/benchmark.md.
set -euo pipefail

usage() {
  cat <<'TEXT'
scripts/benchmark.sh [--model NAME] [--fps N] [--out FILE]
scripts/benchmark.sh --quick [-- OPTIONS OF cargo test]
  --quick        a part of two minutes; fails where it is below scripts/benchmark-floors.toml
  --model NAME   the model, as lookout eval takes it; by default the embedded one
  --fps N        analysed frames per second (default 5)
  --out FILE     where the table goes (default docs/benchmark.md)
The footage is in ../shared, which is not part of the project.
TEXT
}

quick=no out=docs/benchmark.md fps=5 model=() command="scripts/benchmark.sh${*:+ $*}"
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=yes; shift ;;
    --model | --fps | --out)
      [ $# -ge 2 ] || { usage >&2; exit 2; }
      case $1 in --model) model=(--model "$2") ;; --fps) fps=$2 ;; --out) out=$(realpath -m "$2") ;; esac
      shift 2 ;;
    -h | --help) usage; exit 0 ;;
    --) shift; break ;;
    *) printf 'unknown option: %s\n' "$1" >&2; usage >&2; exit 2 ;;
  esac
done

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
shared=$ROOT/../shared
[ -d "$shared/footage" ] || { say "Skipped: the footage (../shared/footage) is not here"; exit 0; }
install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}" jq
need_rust

if [ $quick = yes ]; then
  say "The quick part, against scripts/benchmark-floors.toml"
  # The profile of scripts/test.sh, so that nothing is built twice.
  exec cargo test --locked "$@" footage:: -- --nocapture
fi

say "Building"
cargo build --release --locked
rows=$(mktemp)
trap 'rm -f "$rows" "$rows.one"' EXIT

# evaluate SET OPTIONS OF lookout eval…: runs it, and keeps a row for the set and one for each prompt.
evaluate() {
  local set=$1
  shift
  say "$set"
  target/release/lookout eval --json --fps "$fps" "${model[@]}" "$@" >"$rows.one"
  jq -r --arg set "$set" '
    def percent: if . == null then "–" else . * 1000 | round / 10 | tostring end;
    def number: if . == null then "–" else . * 10 | round / 10 | tostring end;
    def ends(factor): if . == null then "" else " [\(.[0] * factor * 10 | round / 10)–\(.[1] * factor * 10 | round / 10)]" end;
    def row: "| " + join(" | ") + " |";
    (["**\($set)**", "\(.pictures) judged, \(.analysed) analysed", "", "**\(.mean_ap50 | percent)**", "", "", "", "", "",
      (.encoder_passes_a_frame | number), "\(.encoder_ms_a_frame | round) / \(.total_ms_a_frame | round)"] | row),
    (.prompts[] | .events as $e | ["", .prompt, "\(.boxes)", (.ap50 | percent) + (.ap50_interval | ends(100))] +
      (if $e == null then ["", "", "", "", ""] else [
        (if $e.things == 0 then "–" else "\($e.told)/\($e.things)" + ($e.recall_interval | ends(100)) end),
        ($e.median_delay_s | number), "\($e.false)", ($e.false_per_hour | number) + ($e.false_per_hour_interval | ends(1)),
        "\($e.id_switches)"] end) + ["", ""] | row)' "$rows.one" >>"$rows"
  name=$(jq -r .model "$rows.one")
}

# video SET CLIP OPTIONS…
video() {
  local clip=$shared/footage/$2.mp4
  [ -f "$clip" ] || clip=$shared/footage/$2.avi
  evaluate "$1" --annotations "$shared/footage/$2.json" --video "$clip" "${@:3}"
}
# photos SET FOLDER OPTIONS…
photos() { evaluate "$1" --annotations "$2/instances.json" --images "$2" "${@:3}"; }

people=(--prompt "a person=person")
vehicles=(--prompt "a car=car" --prompt "a truck=truck" --prompt "a bus=bus")
absent=()
for phrase in "a dog" "a cat" "a bicycle" "a person with an umbrella" "a fire engine" "smoke"; do
  absent+=(--prompt "$phrase=none")
done
things=("${people[@]}" "${vehicles[@]}")
for name in dog bicycle chair bird "traffic light"; do things+=(--prompt "a $name=$name"); done

video "campus (pets)" pets "${people[@]}"
video "campus: what is not there" pets "${absent[@]}"
for transform in mirror rotate90 rotate180 darken; do
  video "campus, $transform" pets "${people[@]}" --transform $transform
done
for clip in motorway-morning motorway-night; do
  video "$clip" $clip "${vehicles[@]}"
  video "$clip: what is not there" $clip "${absent[@]}"
done
for transform in mirror darken; do
  video "motorway-morning, $transform" motorway-morning "${vehicles[@]}" --transform $transform
done
photos "128 photos" "$shared/photos128" "${things[@]}"
photos "31 photos (225 windows of them were in training)" "$shared/media/photos" "${things[@]}"

changed=$(git status --porcelain --untracked-files=no)
mkdir -p "$(dirname "$out")"
{
  cat <<TEXT
# Benchmark

Detection, tracking and events on real footage that was never trained on (but for the 31 photos, as their row says), at default settings and $fps analysed frames per second.
Written by \`$command\`; [measurements.md](design/measurements.md) says what the columns mean.

| | |
|---|---|
| date | $(date -u +%F) |
| commit | $(git rev-parse --short HEAD)${changed:+, changed} |
| model | $name |
| machine | $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1) |

In brackets are 95 % bootstrap intervals. Things in view for 2 s or more are asked for. Events of what is not there are all false.

| set | prompt | true boxes | AP50, % | events told | delay, s | false events | false events per hour | ID switches | passes a frame | ms a frame, encoder / all |
|---|---|---|---|---|---|---|---|---|---|---|
TEXT
  cat "$rows"
} >"$rows.one"
cat "$rows.one" >"$out"
say "Written: $out"
