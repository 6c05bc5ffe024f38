"""Crops with labels become arrays that training reads at once.

`python crops.py DATA OUT --rendered FOLDER --captions FOLDER` writes OUT/{crops,rendered,captioned}.npy and .tsv: pixels (N, S, S, 3) uint8 and a row
each: split, set, label, colour, box of the object (x0 y0 x1 y1, 0..1, or nothing), captions.
"""

import argparse
import csv
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, CAPTIONED = 72, 112
# Their photos are cut anew by windows.py, with boxes; of the last, the labels are mixed up.
SKIPPED = ("LS-chen", "Rohith3330", "Yasmine-Khaled", "Hyzity", "bertugilk", "KushanManahara", "minhct267", "DoanBuiHoaHop")
# Nouns without a label in training: by text alone.
HELD_OUT = {"helicopter", "kangaroo", "pagoda", "pyramid", "rhino", "sunflower", "wheelchair", "dolphin", "lamp", "chandelier", "headphone", "wrench", "octopus",
            "camera", "ceiling fan", "mandolin", "lotus", "emu", "minaret", "ewer"}
COLOURS = {"black", "blue", "pink", "red", "yellow", "white", "silver", "brown", "green"}


def labelled(data: Path):
    rows, pixels = [], []
    shards = {}
    for row in csv.DictReader((data / "index.tsv").open(), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["source"].startswith(SKIPPED):
            continue
        shard = shards.setdefault(row["shard"], (data / f"crops-{int(row['shard']):02d}.webps").open("rb"))
        shard.seek(int(row["offset"]))
        image = Image.open(io.BytesIO(shard.read(int(row["length"])))).convert("RGB")
        if image.size != (SIDE, SIDE):
            image = image.resize((SIDE, SIDE), Image.BICUBIC)
        colour = row["note"] if row["kind"] in ("whole+colour", "crop+state") and row["note"] in COLOURS else ""
        split = "held" if row["label"] in HELD_OUT else row["split"]
        rows.append([split, f"{row['source'].split('+')[0]}/{row['kind']}", row["label"], colour, "", ""])
        pixels.append(np.asarray(image))
    return rows, pixels


def rendered(folder: Path):
    sys.path.insert(0, str(Path(__file__).parent.parent / "demo_model"))
    from palette import COLOURS as names
    from things import NOUNS

    colours, nouns = list(names), list(NOUNS)
    rows, pixels = [], []
    for path in sorted(folder.glob("pixels-*.npy")):
        part = np.load(path)
        labels, covers = (np.load(path.with_name(path.name.replace("pixels", kind))) for kind in ("labels", "cover"))
        for crop, label, cover in zip(part, labels, covers):
            if label[5] >= 0:  # two things
                continue
            noun = nouns[label[0]] if label[0] >= 0 else "background"
            box = ""
            if label[0] >= 0:
                ys, xs = np.nonzero(cover[0] > 60)
                if len(xs) < 4:
                    continue
                box = " ".join(f"{v / cover.shape[1]:.4f}" for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
            rows.append(["train", "rendered", noun, colours[label[1]] if label[1] >= 0 else "", box, ""])
            pixels.append(crop)
    return rows, pixels


def captioned(folder: Path):
    rows, pixels = [], []
    photos = (folder / "photos.bin").open("rb")
    for i, line in enumerate((folder / "index.tsv").read_text().splitlines()[1:]):
        offset, length, _, captions = line.split("\t")
        photos.seek(int(offset))
        image = Image.open(io.BytesIO(photos.read(int(length)))).convert("RGB")
        said = "|".join(c.strip().rstrip(" .").lower() for c in captions.split("|"))
        rows.append(["test" if i % 12 == 0 else "train", "captioned", "", "", "", said])
        pixels.append(np.asarray(image.resize((CAPTIONED, CAPTIONED), Image.BICUBIC)))
    return rows, pixels


def save(out: Path, name: str, rows, pixels):
    np.save(out / f"{name}.npy", np.stack(pixels))
    (out / f"{name}.tsv").write_text("\n".join("\t".join(row) for row in rows) + "\n")
    print(name, len(rows), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rendered", type=Path, required=True)
    parser.add_argument("--captions", type=Path, required=True)
    args = parser.parse_args()
    save(args.out, "captioned", *captioned(args.captions))
    save(args.out, "rendered", *rendered(args.rendered))
    save(args.out, "crops", *labelled(args.data))
