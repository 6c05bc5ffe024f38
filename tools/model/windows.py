"""Windows: square cut-outs of photos with boxes, each around one object or on background.

`python windows.py SOURCES OUT` reads the data sets listed in `SETS` below SOURCES and writes
- OUT/windows.npy: (N, 112, 112, 3) uint8
- OUT/windows.tsv: a row each: split, set, terms, label, box of the object in the window (x0 y0 x1 y1, 0..1), other labels in view.
- OUT/scenes.npy: (N, 128, 128, 3) uint8, squares of any size and place, of the sets in which every object has its box
- OUT/scenes.tsv: a row each: split, set, terms, the boxes of all objects that reach into the square ("label x0 y0 x1 y1;...", not clipped).

A window's side is 1.7 times the longer side of its object, so that training can cut a smaller square that is off-centre.
Background windows overlap no box by more than a fiftieth of their area. A twelfth of the photos is kept for tests.
"""

import argparse
import csv
import hashlib
import json
import math
import random
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, SCENE = 112, 128
ROOM = 1.7  # side of the window in longer sides of the object
SMALLEST = 14  # longer side of an object, pixels
SCENES = 3000  # of a set


def yolo(folder, names, labels="labels", images="images"):
    """(picture, [(label, x0, y0, x1, y1)]) of a folder in YOLO's form; boxes in fractions."""
    for text in sorted(folder.rglob("*.txt")):
        if labels not in text.parts and labels:
            continue
        stem = str(text).replace(f"/{labels}/", f"/{images}/") if labels else str(text)
        picture = next((p for p in (Path(stem).with_suffix(e) for e in (".jpg", ".png", ".jpeg")) if p.exists()), None)
        if picture is None:
            continue
        boxes = []
        for line in text.read_text().splitlines():
            values = line.split()
            if len(values) == 5:
                x, y, w, h = map(float, values[1:])
                boxes.append((names[int(values[0])], x - w / 2, y - h / 2, x + w / 2, y + h / 2))
            elif len(values) > 6:  # a polygon
                xs, ys = [float(v) for v in values[1::2]], [float(v) for v in values[2::2]]
                boxes.append((names[int(values[0])], min(xs), min(ys), max(xs), max(ys)))
        yield picture, boxes


def voc(folder, images):
    """The same of a folder in Pascal VOC's form."""
    for path in sorted(folder.glob("*.xml")):
        tree = ElementTree.parse(path)
        picture = images / (path.stem + ".jpg")
        if not picture.exists():
            continue
        width, height = Image.open(picture).size
        boxes = []
        for thing in tree.iter("object"):
            b = thing.find("bndbox")
            x0, y0, x1, y1 = (float(b.find(k).text) for k in ("xmin", "ymin", "xmax", "ymax"))
            boxes.append((thing.find("name").text, x0 / width, y0 / height, x1 / width, y1 / height))
        yield picture, boxes


def table(folder):
    """The same of a folder with an `_annotations.csv`."""
    rows = {}
    for row in csv.DictReader((folder / "_annotations.csv").open()):
        w, h = float(row["width"]), float(row["height"])
        box = (row["class"], float(row["xmin"]) / w, float(row["ymin"]) / h, float(row["xmax"]) / w, float(row["ymax"]) / h)
        rows.setdefault(row["filename"], []).append(box)
    for name, boxes in sorted(rows.items()):
        if (folder / name).exists():
            yield folder / name, boxes


def coco(path, folder):
    """The same of a COCO annotation file."""
    held = json.loads(path.read_text())
    names = {c["id"]: c["name"] for c in held["categories"]}
    photos = {i["id"]: (i["file_name"], i["width"], i["height"], []) for i in held["images"]}
    for a in held["annotations"]:
        file, w, h, boxes = photos[a["image_id"]]
        x, y, bw, bh = a["bbox"]
        boxes.append(("" if a.get("iscrowd") else names[a["category_id"]], x / w, y / h, (x + bw) / w, (y + bh) / h))
    for file, _, _, boxes in photos.values():
        yield folder / file, boxes


RENAMED = {"motorbike": "motorcycle", "bicycles": "bicycle", "buses": "bus", "motorcycles": "motorcycle", "traffic lights": "traffic light",
           "fire hydrants": "fire hydrant", "crosswalks": "crosswalk", "vehicles": "vehicle", "rail-track": "", "minibus": "minibus",
           "tv": "television", "cell phone": "phone", "couch": "sofa", "potted plant": "potted plant", "dining table": "table",
           "sports ball": "ball", "undeflect": "person", "deflection": "person"}

# Name, terms, whether every object in it has its box (so that the rest is background), windows of one label at most, reader.
SETS = [
    # Its "motorbike" are people on foot, as looking at them shows.
    ("traffic-vn", "CC BY 4.0", True, 6000, lambda s: yolo(s / "DoanBuiHoaHop/Data", ["bicycle", "bus", "car", "person", "person", "truck"])),
    ("streets", "CC BY 4.0", False, 4000, lambda s: yolo(s / "Yasmine-Khaled/Data", ["bicycle", "bus", "crosswalk", "fire hydrant", "motorcycle", "traffic light", "vehicle"], "", "")),
    ("people-streets", "research", False, 3000, lambda s: voc(s / "LS-chen/Annotations", s / "LS-chen/JPEGImages")),
    ("people-infrared", "CC BY 4.0", True, 3500, lambda s: yolo(s / "Rohith3330/person-1", ["person"])),
    ("vehicles", "CC BY 4.0", True, 1500, lambda s: yolo(s / "bertugilk/Data", ["ambulance", "bus", "car", "motorcycle", "truck"])),
    ("highway", "CC BY 4.0", True, 3500, lambda s: yolo(s / "KushanManahara", ["vehicle"])),
    ("railway", "CC BY 4.0", True, 3000, lambda s: yolo(s / "minhct267/yolo", ["person", "rail-track"])),
    ("trucks", "CC BY 4.0", False, 3000, lambda s: (r for f in sorted((s / "Hyzity").rglob("_annotations.csv")) for r in table(f.parent))),
    ("photos", "CC BY 4.0", True, 2000, lambda s: coco(s / "media/photos/instances.json", s / "media/photos")),
]


def windows(picture, boxes, complete, rng):
    """(pixels, label, box, others) of one photo."""
    image = Image.open(picture).convert("RGB")
    width, height = image.size
    pixels = [(label, x0 * width, y0 * height, x1 * width, y1 * height) for label, x0, y0, x1, y1 in boxes]

    def cut(cx, cy, side):
        corners = [round(v) for v in (cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2)]
        return np.asarray(image.crop(corners).resize((SIDE, SIDE), Image.BICUBIC, reducing_gap=2.0))

    def others(cx, cy, side, own):
        seen = set()
        for other in pixels:
            if other is own or not other[0]:
                continue
            w = min(other[3], cx + side / 2) - max(other[1], cx - side / 2)
            h = min(other[4], cy + side / 2) - max(other[2], cy - side / 2)
            if w > 0 and h > 0 and w * h > 0.25 * min((other[3] - other[1]) * (other[4] - other[2]), side * side):
                seen.add(RENAMED.get(other[0], other[0]))
        return sorted(seen)

    for box in pixels:
        label, x0, y0, x1, y1 = box
        longer = max(x1 - x0, y1 - y0)
        label = RENAMED.get(label, label)
        if not label or longer < SMALLEST:
            continue
        side = ROOM * longer
        cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
        # Within the frame where that is possible, as a crop at the frame's edge is moved inwards.
        if side <= min(width, height):
            cx, cy = min(max(cx, side / 2), width - side / 2), min(max(cy, side / 2), height - side / 2)
        unit = [(x0 - cx) / side + 0.5, (y0 - cy) / side + 0.5, (x1 - cx) / side + 0.5, (y1 - cy) / side + 0.5]
        yield cut(cx, cy, side), label, unit, others(cx, cy, side, box)
    if complete:
        for _ in range(3):
            side = min(width, height) * rng.choice([0.08, 0.12, 0.18, 0.25, 0.35, 0.5])
            cx, cy = rng.uniform(side / 2, width - side / 2), rng.uniform(side / 2, height - side / 2)
            free = True
            for _, x0, y0, x1, y1 in pixels:
                w = min(x1, cx + side / 2) - max(x0, cx - side / 2)
                h = min(y1, cy + side / 2) - max(y0, cy - side / 2)
                free &= not (w > 0 and h > 0 and w * h > 0.02 * side * side)
            if free and side > 20:
                yield cut(cx, cy, side), "background", [0, 0, 0, 0], []


def scenes(picture, boxes, count, rng):
    """(pixels, boxes in it) of squares of one photo, as tiles of a frame show objects: anywhere and of any size."""
    image = Image.open(picture).convert("RGB")
    width, height = image.size
    objects = [(RENAMED.get(label, label), x0 * width, y0 * height, x1 * width, y1 * height) for label, x0, y0, x1, y1 in boxes]
    for _ in range(count):
        shown = rng.choice(objects) if objects and rng.random() < 0.85 else None
        if shown:
            side = max(shown[3] - shown[1], shown[4] - shown[2]) / math.exp(rng.uniform(math.log(0.12), 0))
            cx, cy = ((shown[i] + shown[i + 2]) / 2 + rng.uniform(-0.45, 0.45) * side for i in (1, 2))
        else:
            side = min(width, height) * rng.uniform(0.1, 1)
            cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        side = min(max(side, 40), width, height)
        cx, cy = min(max(cx, side / 2), width - side / 2), min(max(cy, side / 2), height - side / 2)
        corners = [round(v) for v in (cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2)]
        inside = []
        for label, *box in objects:
            x0, y0, x1, y1 = ((v - c) / side + 0.5 for v, c in zip(box, (cx, cy, cx, cy)))
            if min(x1, 1) > max(x0, 0) and min(y1, 1) > max(y0, 0):
                inside.append((label, x0, y0, x1, y1))
        yield np.asarray(image.crop(corners).resize((SCENE, SCENE), Image.BICUBIC, reducing_gap=2.0)), inside


def written(boxes):
    return ";".join(" ".join([label.replace(" ", "_") or "-", *(f"{v:.4f}" for v in box)]) for label, *box in boxes)


def save(out, name, rows, pixels):
    np.save(out / f"{name}.npy", np.stack(pixels))
    (out / f"{name}.tsv").write_text("\n".join("\t".join(row) for row in rows) + "\n")


def run(sources, out):
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(5)
    rows, pixels, scene_rows, scene_pixels = [], [], [], []
    for name, terms, complete, most, read in SETS:
        try:
            found = list(read(sources))
        except FileNotFoundError as fault:
            print(f"{name} is left out: {fault}", flush=True)
            continue
        rng.shuffle(found)
        count, by_label = 0, {}
        each = math.ceil(SCENES / max(len(found), 1)) if complete else 0
        for picture, boxes in found:
            split = "test" if int(hashlib.sha1(picture.name.encode()).hexdigest(), 16) % 12 == 0 else "train"
            try:
                cut = list(windows(picture, boxes, complete, rng))
            except OSError:
                continue
            if each and rng.random() < SCENES / (each * len(found)):
                for crop, inside in scenes(picture, boxes, each, rng):
                    scene_rows.append([split, name, terms, written(inside)])
                    scene_pixels.append(crop)
            rng.shuffle(cut)
            cut.sort(key=lambda window: by_label.get(window[1], 0))  # a photo has room for few, so rare labels go first
            for crop, label, box, others in cut[:14]:
                if by_label.get(label, 0) >= most:
                    continue
                rows.append([split, name, terms, label, " ".join(f"{v:.4f}" for v in box), ",".join(others)])
                pixels.append(crop)
                by_label[label] = by_label.get(label, 0) + 1
                count += 1
        print(name, len(found), "photos", count, "windows", dict(sorted(by_label.items(), key=lambda i: -i[1])[:8]), flush=True)
    save(out, "windows", rows, pixels)
    save(out, "scenes", scene_rows, scene_pixels)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    run(args.sources, args.out)
