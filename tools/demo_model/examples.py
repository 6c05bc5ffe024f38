"""Examples: crops of a thing in a colour that no phrase says, and of what it must be told apart from, on one sheet.

`python examples.py OUT` writes OUT/examples.jpg (16 columns of 72 pixels) and OUT/examples.json (by row what its crops are):
teal trash cans, trash cans in the eleven colours, other things in teal, other things in any colour, and backgrounds.
"""

import argparse
import colorsys
import json
from pathlib import Path

import numpy as np
from PIL import Image

import crops
from crops import SIDE, Recipe, crop

SEED, COLUMNS = 31_007, 16
NOUN = "trash can"
OTHERS = ["car", "person", "bicycle", "bench", "dog", "fire hydrant", "traffic cone", "bus"]
ROWS = {"teal trash can": 2, "trash can": 2, "teal thing": 2, "thing": 2, "background": 2}
ALONE = Recipe(background=0, shared=0, hidden=0, small=0, trait=0)


def teal(rng):
    return colorsys.hsv_to_rgb(rng.uniform(173, 183) / 360, 0.85, rng.uniform(0.56, 0.68))


def crop_of(rng, noun, colour):
    """A crop with one thing of a noun, its colour drawn by `colour` or, without, one of the eleven."""
    drawn = crops.thing

    def forced(rng, recipe, _=None):
        made = drawn(rng, recipe, noun)
        made.rgb = colour(rng) if colour else made.rgb
        return made

    crops.thing = forced
    try:
        return crop(rng, ALONE)[0]
    finally:
        crops.thing = drawn


def row(rng, name):
    for column in range(COLUMNS):
        if name == "background":
            yield crop(rng, Recipe(background=1.0))[0]
        else:
            yield crop_of(rng, NOUN if name.endswith(NOUN) else OTHERS[column % len(OTHERS)], teal if name.startswith("teal") else None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    rng, sheet, names = np.random.default_rng(args.seed), [], []
    for name, many in ROWS.items():
        for _ in range(many):
            sheet.append(np.concatenate(list(row(rng, name)), axis=1))
            names.append(name)
    args.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(sheet)).save(args.out / "examples.jpg", quality=88)
    (args.out / "examples.json").write_text(json.dumps({"side": SIDE, "rows": names}) + "\n")
