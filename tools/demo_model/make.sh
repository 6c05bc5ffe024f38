#!/usr/bin/env bash
# The demo model from nothing: renders crops, trains, exports into models/demo, evaluates, and renders the demo clip.
# Everything in between stays in WORK, and a second call goes on where the first was stopped.
#   tools/demo_model/make.sh WORK
# CROPS and RENDERED change how many crops are seen and how many different ones there are. PHOTOS is a folder of photos
# with COCO boxes (instances.json), a few of whose crops are mixed in; without it, all is rendered.
set -euo pipefail

[ $# = 1 ] || { sed -n '2,6s/^# *//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
python=$work/venv/bin/python
photos=${PHOTOS:-$here/../../../shared/media/photos}
export PYTHONDONTWRITEBYTECODE=1

[ -x "$python" ] || python3 -m venv "$work/venv"
"$python" -m pip install -q -r "$here/requirements.txt"
# A part must be there before training begins; the rest is rendered beside it.
mix=(--recipe standard --recipe standard --recipe hard --recipe far --recipe traited --seed 1)
"$python" "$here/crops.py" "$work/crops" --count 24000 "${mix[@]}"
if [ -f "$photos/instances.json" ]; then
  [ -f "$work/crops/pixels-real-00000.npy" ] || "$python" "$here/real.py" "$photos" "$work/crops" --count 6000
else
  echo "$photos is not here: no crops of photos are mixed in"
fi
nice -n 5 "$python" "$here/crops.py" "$work/crops" --count "${RENDERED:-460000}" "${mix[@]}" --workers 1 >"$work/render.log" &
render=$!
trap 'kill "$render" 2>/dev/null || true' EXIT
"$python" "$here/train.py" "$work/crops" "$work/checkpoint.pt" --crops "${CROPS:-900000}"
"$python" "$here/export.py" "$work/checkpoint.pt" "$here/../../models/demo"
"$python" "$here/evaluate.py" "$here/../../models/demo"
if command -v ffmpeg >/dev/null; then
  "$python" "$here/clip.py" "$here/../../models/demo"
else
  echo "ffmpeg is not here: the demo clip stays as it is"
fi
