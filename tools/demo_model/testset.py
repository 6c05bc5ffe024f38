"""The test set of CI: a few hundred crops on one sheet, for tests/model.rs.

`python testset.py OUT` writes OUT/crops.jpg (24 columns of 72 pixels) and OUT/crops.json (by row what its crops are, and
each crop's noun and colour). Its seed is of no training, validation or test crop. Crops with one thing, crops of pairs that
training never saw, and backgrounds.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import evaluate
from crops import SIDE
from palette import COLOURS
from things import NOUNS

SEED, COLUMNS = 9501, 24
SETS = {"plain": 8, "held_out": 6, "background": 6}  # rows of each


def crops_of(name: str, seed: int, count: int):
    pixels, labels, _ = evaluate.unseen(name, seed, count * 2)
    kept = np.flatnonzero((labels[:, 0] < 0) == (name == "background"))[:count]
    return pixels[kept], labels[kept]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    sheets, rows = [], []
    for i, (name, many) in enumerate(SETS.items()):
        pixels, labels = crops_of(name, SEED + i, many * COLUMNS)
        sheets.append(pixels.reshape(many, COLUMNS, SIDE, SIDE, 3).swapaxes(1, 2).reshape(many * SIDE, COLUMNS * SIDE, 3))
        said = [[NOUNS[noun] if noun >= 0 else None, COLOURS[colour] if colour >= 0 else None] for noun, colour in labels[:, :2]]
        rows += [{"set": name, "crops": said[row * COLUMNS:(row + 1) * COLUMNS]} for row in range(many)]
    args.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(sheets)).save(args.out / "crops.jpg", quality=88)
    held = {"side": SIDE, "nouns": NOUNS, "colours": COLOURS, "rows": rows}
    (args.out / "crops.json").write_text(json.dumps(held, separators=(",", ":")) + "\n")
