"""Windows around what a detector finds in the photos with captions: labels without a person's hand.

`python pseudo.py CAPTIONS NPM OUT --boxes FILE` has pseudo.mjs look at each photo and writes OUT/pseudo and OUT/pseudo-scenes (.npy, .tsv) in the form
of windows.py. FILE keeps what was found, a line a photo, so that a run that was stopped goes on.
"""

import argparse
import io
import json
import queue
import random
import re
import subprocess
import threading
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from windows import save, scenes, windows, written

COCO = ("person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter bench bird cat dog horse sheep "
        "cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee skis snowboard sports_ball kite baseball_bat baseball_glove "
        "skateboard surfboard tennis_racket bottle wine_glass cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza "
        "donut cake chair couch potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink "
        "refrigerator book clock vase scissors teddy_bear hair_drier toothbrush").split()
COCO = [name.replace("_", " ") for name in COCO]
# It takes one animal for another, so that these count only where a caption names them.
ANIMALS = {name: name for name in COCO[14:24]} | {"dog": "dog|puppy|puppies", "bird": "bird|duck|goose|geese|swan|seagull|gull|pigeon|parrot|owl|eagle",
                                                   "cat": "cat|kitten", "horse": "horse|pony|bronco", "cow": "cow|bull|calf|cattle", "sheep": "sheep|lamb"}
OVERLAP = 0.6  # of two boxes that share more, the less certain one is left out, whatever their classes


def read(folder):
    photos = (folder / "photos.bin").open("rb")
    for line in (folder / "index.tsv").read_text().splitlines()[1:]:
        offset, length, _, said = line.split("\t")
        photos.seek(int(offset))
        yield photos.read(int(length)), said.lower()


def detect(photos, npm, side, least, cache):
    """Boxes of each photo, a line each: what `cache` has already stays, the rest is looked at and added."""
    done = len(cache.read_text().splitlines()) if cache.exists() else 0
    command = ["node", str(Path(__file__).with_name("pseudo.mjs")), str(npm), str(side), str(least)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    sizes = queue.Queue()

    def feed():
        for photo, _ in photos[done:]:
            image = Image.open(io.BytesIO(photo)).convert("RGB")
            scale = side / max(image.size)
            width, height = (round(v * scale) for v in image.size)
            square = Image.new("RGB", (side, side))
            square.paste(image.resize((width, height), Image.BILINEAR), (0, 0))
            sizes.put((side / width, side / height))
            process.stdin.write(square.tobytes())
        process.stdin.close()

    threading.Thread(target=feed, daemon=True).start()
    with cache.open("a") as out:
        for line in process.stdout:
            x, y = sizes.get()
            found = [[r[0] * x, r[1] * y, r[2] * x, r[3] * y, r[4], int(r[5])] for r in json.loads(line)]
            print(json.dumps(found), file=out, flush=True)
    if process.wait():
        raise SystemExit("the detector failed")


def shared(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def boxes(found, said):
    kept = []
    for *box, score, kind in sorted(found, key=lambda r: -r[4]):
        box, name = [min(max(v, 0.0), 1.0) for v in box], COCO[kind]
        if name in ANIMALS and not re.search(rf"\b({ANIMALS[name]})s?\b", said):
            continue
        if box[2] > box[0] and box[3] > box[1] and all(shared(box, other[1:]) < OVERLAP for other in kept):
            kept.append((name, *box))
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", type=Path)
    parser.add_argument("npm", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--boxes", type=Path, required=True)
    parser.add_argument("--side", type=int, default=384)
    parser.add_argument("--least", type=float, default=0.4)
    parser.add_argument("--no-detect", action="store_true", help="with what FILE has")
    args = parser.parse_args()
    photos = list(read(args.captions))
    if not args.no_detect:
        detect(photos, args.npm, args.side, args.least, args.boxes)
    rng = random.Random(5)
    rows, pixels, scene_rows, scene_pixels, count = [], [], [], [], Counter()
    for i, ((photo, said), found) in enumerate(zip(photos, args.boxes.read_text().splitlines())):
        split, objects = "test" if i % 12 == 0 else "train", boxes(json.loads(found), said)
        for crop, inside in scenes(io.BytesIO(photo), objects, 3, rng):
            scene_rows.append([split, "flickr-pseudo", "research", written(inside)])
            scene_pixels.append(crop)
        for crop, label, box, others in windows(io.BytesIO(photo), objects, False, rng):
            rows.append([split, "flickr-pseudo", "research", label, " ".join(f"{v:.4f}" for v in box), ",".join(others)])
            pixels.append(crop)
            count[label] += 1
    save(args.out, "pseudo", rows, pixels)
    save(args.out, "pseudo-scenes", scene_rows, scene_pixels)
    print(len(args.boxes.read_text().splitlines()), "photos", len(rows), "windows", dict(count.most_common()))
