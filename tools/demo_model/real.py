"""Real crops: pieces of photos with COCO boxes, as lookout would cut them, mixed into the rendered ones.

`python real.py PHOTOS OUT --count N --seed S` writes shards like those of crops.py from PHOTOS/instances.json and its
photos: those under CC BY or without known restrictions. Photos under CC BY-SA are left for judging:
`python real.py PHOTOS --judged FILE` writes their annotations alone. `--credits` prints what was used, for the model card.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import crops
import looks
from crops import CELL, NOTHING, SIDE, UNKNOWN
from things import NOUNS

TAUGHT_LICENCES, JUDGED_LICENCES = {4, 7, 8}, {5}
NAMES = {noun: noun for noun in NOUNS} | {"stop sign": "traffic sign"}  # by COCO's names
LEAST = 14  # pixels of the longer side of a box
EMPTY_SHARE = 0.35


class Photos:
    """Annotated photos of some licences."""

    def __init__(self, folder: Path, licences: set[int]):
        self.held = json.loads((folder / "instances.json").read_text())
        kept = {image["id"]: image for image in self.held["images"] if image["license"] in licences}
        names = {category["id"]: category["name"] for category in self.held["categories"]}
        self.images = list(kept.values())
        self.boxes = {image: [] for image in kept}
        for box in self.held["annotations"]:
            if box["image_id"] in kept:
                self.boxes[box["image_id"]].append((names[box["category_id"]], box["bbox"], box["iscrowd"]))
        self.annotations = [box for box in self.held["annotations"] if box["image_id"] in kept]
        self.folder = folder

    def pixels(self, image):
        return Image.open(self.folder / image["file_name"]).convert("RGB")


def _cyclists(boxes):
    """The boxes of persons who sit on a bicycle or motorcycle: neither persons nor riders for sure."""
    rides = [box for name, box, _ in boxes if name in ("bicycle", "motorcycle")]
    on = lambda p, r: p[0] < r[0] + r[2] and r[0] < p[0] + p[2] and p[1] + p[3] > r[1] + r[3] * 0.3 and p[1] < r[1]
    return [box for name, box, _ in boxes if name == "person" and any(on(box, ride) for ride in rides)]


def _overlap(a, b):
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0, across) * max(0, down)


def pieces(photos: Photos):
    """(image, noun, box) of every box that can be taught."""
    for image in photos.images:
        boxes = photos.boxes[image["id"]]
        riders = _cyclists(boxes)
        for name, box, crowd in boxes:
            hidden = sum(_overlap(box, other) for _, other, _ in boxes if other is not box) > 0.5 * box[2] * box[3]
            if name in NAMES and not crowd and max(box[2:]) >= LEAST and box not in riders and not hidden:
                yield image, NAMES[name], box


def cut(rng, photo: Image.Image, box):
    """A square around a box, moved and sized at random, or None where the photo is too small."""
    x, y, w, h = box
    side = min(max(w, h) / rng.uniform(0.4, 1.05), *photo.size)
    cx, cy = x + w / 2 + rng.uniform(-0.15, 0.15) * side, y + h / 2 + rng.uniform(-0.15, 0.15) * side
    x0, y0 = np.clip(cx - side / 2, 0, photo.width - side), np.clip(cy - side / 2, 0, photo.height - side)
    return photo.resize((SIDE, SIDE), Image.BICUBIC, (x0, y0, x0 + side, y0 + side)), (x0, y0, side, side)


def crop(rng, photos: Photos, taught, cache):
    """One crop, its label and its cover."""
    empty = rng.uniform() < EMPTY_SHARE
    while True:
        image, noun, box = taught[rng.integers(len(taught))]
        photo = cache.setdefault(image["id"], photos.pixels(image))
        if empty:
            side = rng.uniform(40, 220)
            box = (rng.uniform(0, photo.width - side), rng.uniform(0, photo.height - side), side, side)
        piece, seen = cut(rng, photo, box)
        named = [b for name, b, _ in photos.boxes[image["id"]] if name in NAMES]
        if not empty or all(_overlap(seen, b) < 0.02 * b[2] * b[3] for b in named):
            break
    pixels = looks.sensor(rng, looks.light(rng, np.asarray(piece, dtype=np.float32)), SIDE)
    thing = NOTHING if empty else (NOUNS.index(noun), -1, -1, -1, 1)
    return pixels, (*thing, *NOTHING, -1), np.full((2, SIDE // CELL, SIDE // CELL), UNKNOWN, np.uint8)


def render(folder: Path, out: Path, count: int, seed: int):
    out.mkdir(parents=True, exist_ok=True)
    photos = Photos(folder, TAUGHT_LICENCES)
    taught, cache = list(pieces(photos)), {}
    # Every noun as often as every other, as far as a few boxes can carry it.
    by_noun = {noun: [piece for piece in taught if piece[1] == noun] for _, noun, _ in taught}
    often = max(map(len, by_noun.values()))
    taught = [piece for group in by_noun.values() for piece in group * max(1, min(4, often // len(group)))]
    for index in range(0, count, crops.SHARD):
        rng = np.random.default_rng([seed, index])
        made = [crop(rng, photos, taught, cache) for _ in range(min(crops.SHARD, count - index))]
        crops.save(out, f"real-{index // crops.SHARD:05}", *zip(*made))
    print(f"{count} crops of {len(photos.images)} photos: " + ", ".join(f"{len(group)} {noun}" for noun, group in by_noun.items()))


def judged(folder: Path, file: Path):
    photos = Photos(folder, JUDGED_LICENCES)
    file.write_text(json.dumps({"images": photos.images, "annotations": photos.annotations, "categories": photos.held["categories"]}))
    print(f"{len(photos.images)} photos, {len(photos.annotations)} boxes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--judged", type=Path)
    parser.add_argument("--credits", action="store_true")
    args = parser.parse_args()
    if args.out:
        render(args.photos, args.out, args.count, args.seed)
    if args.judged:
        judged(args.photos, args.judged)
    if args.credits:
        names = {4: "CC BY 2.0", 7: "no known restrictions", 8: "US government work"}
        for image in Photos(args.photos, TAUGHT_LICENCES).images:
            print(f"- {image['flickr_url']} ({names[image['license']]})")
