"""What a trained model is worth on pictures that it has not seen.

`python evaluate.py MODEL --data DATA --shared SHARED` reads a model folder (vision.onnx, text.onnx, tokenizer.json) and prints
- the area under the ROC curve of true boxes of fixed cameras against random background of the same camera (SHARED/footage);
- the right noun of 14 for crops of SHARED/photos128, and of people among them;
- the right noun of 20 that had no label in training (Caltech-101), by text alone;
- label, colour and box on the test parts of DATA.
"""

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

import lexicon
from crops import HELD_OUT
from tower import MEAN, SIZE, STD

FOURTEEN = ["person", "bicycle", "car", "motorcycle", "bus", "truck", "dog", "cat", "bird", "horse", "umbrella", "backpack", "chair", "traffic light"]
MARGIN = 1 / 0.75


class Model:
    def __init__(self, folder: Path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.vision = onnxruntime.InferenceSession(folder / "vision.onnx", options)
        self.text = onnxruntime.InferenceSession(folder / "text.onnx", options)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def say(self, phrases):
        rows = [np.array([self.tokenizer.encode(p).ids], np.int64) for p in phrases]
        return np.concatenate([self.text.run(["text_embeds"], {"input_ids": row})[0] for row in rows])

    def see(self, crops):
        """Embeddings and boxes of pictures of any size."""
        out = []
        for at in range(0, len(crops), 64):
            x = np.stack([np.asarray(c.convert("RGB").resize((SIZE, SIZE), Image.BICUBIC), np.float32) / 255 for c in crops[at:at + 64]])
            x = ((x - np.array(MEAN, np.float32)) / np.array(STD, np.float32)).transpose(0, 3, 1, 2)
            out.append(self.vision.run(["image_embeds", "boxes"], {"pixel_values": np.ascontiguousarray(x, np.float32)}))
        return np.concatenate([e for e, _ in out]), np.concatenate([b for _, b in out])


def square(image, box):
    """The crop that the program makes of a box (x, y, width, height)."""
    x, y, w, h = box
    side = min(max(w, h) * MARGIN, *image.size)
    cx = min(max(x + w / 2, side / 2), image.width - side / 2)
    cy = min(max(y + h / 2, side / 2), image.height - side / 2)
    return image.crop([round(v) for v in (cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2)])


def auc(right, wrong):
    order = np.argsort(np.concatenate([right, wrong]), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    return (ranks[:len(right)].sum() - len(right) * (len(right) + 1) / 2) / (len(right) * len(wrong))


def score(seen, own, rest, scale=30.0):
    """Log-odds of the phrase against the background phrases."""
    return scale * seen @ own - np.log(np.exp(scale * seen @ rest.T).sum(1))


def camera(model, shared, name, video, category, phrase, rest, count=700):
    truth = json.loads((shared / f"footage/{name}.json").read_text())
    ids = {c["name"]: c["id"] for c in truth["categories"]}
    boxes = {}
    for a in truth["annotations"]:
        boxes.setdefault(a["image_id"], []).append(a)
    rng = random.Random(1)
    images = [i for i in truth["images"] if i["id"] in boxes]
    chosen = rng.sample(images, min(len(images), 60))
    right, wrong = [], []
    for image in chosen:
        data = subprocess.run(["ffmpeg", "-v", "error", "-ss", str(max(0.0, image["time_s"])), "-i", shared / f"footage/{video}", "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"],
                              capture_output=True, check=True).stdout
        if not data:
            continue
        import io
        frame = Image.open(io.BytesIO(data)).convert("RGB")
        sx, sy = frame.width / image["width"], frame.height / image["height"]
        all_boxes = [(a["bbox"][0] * sx, a["bbox"][1] * sy, a["bbox"][2] * sx, a["bbox"][3] * sy) for a in boxes[image["id"]]]
        own = [b for a, b in zip(boxes[image["id"]], all_boxes) if a["category_id"] == ids[category] and not a.get("iscrowd") and max(b[2:]) >= 14]
        right += [square(frame, b) for b in rng.sample(own, min(len(own), 20))]
        sizes = [max(b[2:]) for b in own] or [40]
        for _ in range(20):
            size = rng.choice(sizes)
            x, y = rng.uniform(0, frame.width - size), rng.uniform(0, frame.height - size)
            if all(min(x + size, b[0] + b[2]) - max(x, b[0]) <= 0 or min(y + size, b[1] + b[3]) - max(y, b[1]) <= 0 for b in all_boxes):
                wrong.append(square(frame, (x, y, size, size)))
    own = model.say([phrase])[0]
    r, w = (model.see(part[:count])[0] for part in (right, wrong))
    print(f"{name}: {phrase!r} AUC {auc(score(r, own, rest), score(w, own, rest)):.3f} ({len(right)} boxes, {len(wrong)} backgrounds)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shared", type=Path, required=True)
    args = parser.parse_args()
    model = Model(args.model)
    rest = model.say(lexicon.BACKGROUND)
    for name, video, category, phrase in (("pets", "pets.avi", "person", "a person"), ("motorway-morning", "motorway-morning.mp4", "car", "a car"), ("motorway-morning", "motorway-morning.mp4", "truck", "a truck"),
                                          ("motorway-night", "motorway-night.mp4", "car", "a car")):
        camera(model, args.shared, name, video, category, phrase, rest)
    truth = json.loads((args.shared / "photos128/instances.json").read_text())
    names = {c["id"]: c["name"] for c in truth["categories"]}
    files = {i["id"]: i["file_name"] for i in truth["images"]}
    crops, nouns = [], []
    for a in truth["annotations"]:
        if names[a["category_id"]] in FOURTEEN and not a.get("iscrowd") and max(a["bbox"][2:]) >= 24:
            crops.append(square(Image.open(args.shared / "photos128" / files[a["image_id"]]).convert("RGB"), a["bbox"]))
            nouns.append(FOURTEEN.index(names[a["category_id"]]))
    nouns = np.array(nouns)
    words = model.say([lexicon.phrases(n)[0] for n in FOURTEEN])
    found = (model.see(crops)[0] @ words.T).argmax(1)
    print(f"photos128: noun of 14 right {np.mean(found == nouns):.3f} (people {np.mean(found[nouns == 0] == 0):.3f}, mean of nouns {np.mean([np.mean(found[nouns == i] == i) for i in range(14) if (nouns == i).any()]):.3f}, {len(nouns)} crops)")
    print("  ", {FOURTEEN[i]: f"{np.mean(found[nouns == i] == i):.2f}/{(nouns == i).sum()}" for i in range(14) if (nouns == i).any()})
    rows = [line.rstrip("\n").split("\t") for line in (args.data / "crops.tsv").open()]
    pixels = np.load(args.data / "crops.npy", mmap_mode="r")
    held = [i for i, row in enumerate(rows) if row[0] == "held" and row[1].startswith("MachineLearning2020")]
    nouns20 = sorted(HELD_OUT)
    seen = model.see([Image.fromarray(pixels[i]) for i in held])[0]
    right = np.array([nouns20.index(rows[i][2]) for i in held])
    found = (seen @ model.say([lexicon.article(n) for n in nouns20]).T).argmax(1)
    print(f"20 nouns without a label: right {np.mean(found == right):.3f}, mean of nouns {np.mean([np.mean(found[right == i] == i) for i in range(20)]):.3f} ({len(held)} crops)")
    rng = random.Random(2)
    for noun, others in (("person", ["a pedestrian", "somebody", "a human being", "people walking", "a man or a woman"]), ("car", ["an automobile", "a parked car", "the car", "a sedan"]), ("dog", ["a puppy", "a doggy"]),
                         ("truck", ["a lorry", "a heavy goods vehicle"]), ("package", ["a parcel", "a parcel on the doorstep"]), ("bicycle", ["a push-bike", "a bike"])):
        test = [i for i, row in enumerate(rows) if row[0] == "test" and row[2] == noun]
        test = rng.sample(test, min(300, len(test)))
        seen = model.see([Image.fromarray(pixels[i]) for i in test])[0]
        base = model.say([lexicon.phrases(n)[0] for n in FOURTEEN + ["package"] if n != noun])
        figures = [np.mean(seen @ model.say([p])[0] > (seen @ base.T).max(1)) for p in [lexicon.phrases(noun)[0], *others]]
        print(f"  {noun}: " + ", ".join(f"{p!r} {f:.2f}" for p, f in zip([lexicon.phrases(noun)[0], *others], figures)))
    test = [i for i, row in enumerate(rows) if row[0] == "test" and row[3] in lexicon.COLOURS and row[2] == "car"]
    seen = model.see([Image.fromarray(pixels[i]) for i in test])[0]
    found = (seen @ model.say([f"a {c} car" for c in lexicon.COLOURS]).T).argmax(1)
    alike = {"silver": {"silver", "grey", "white"}, "white": {"white", "silver", "grey"}}
    print(f"car colour of 12: right {np.mean([lexicon.COLOURS[f] in alike.get(rows[i][3], {rows[i][3]}) for f, i in zip(found, test)]):.3f} ({len(test)})")
    rows = [line.rstrip("\n").split("\t") for line in (args.data / "windows.tsv").open()]
    pixels = np.load(args.data / "windows.npy", mmap_mode="r")
    test = rng.sample([i for i, row in enumerate(rows) if row[0] == "test"], 1200)
    inset = 112 * (1 - MARGIN / 1.7) / 2
    seen, boxes = model.see([Image.fromarray(pixels[i]).crop((inset, inset, 112 - inset, 112 - inset)) for i in test])
    objects = np.array([rows[i][3] != "background" for i in test])
    true = (np.array([[float(v) for v in rows[i][4].split()] for i in test]) * 112 - inset) / (112 - 2 * inset)
    low, high = np.maximum(boxes[:, :2], true[:, :2]), np.minimum(boxes[:, 2:4], true[:, 2:])
    area = lambda b: (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    inside = np.clip(high - low, 0, None).prod(1)
    iou = inside / (area(boxes) + area(true) - inside)
    print(f"boxes: mean IoU {iou[objects].mean():.3f}, at least .5 {np.mean(iou[objects] > 0.5):.3f}; object against background AUC {auc(boxes[objects, 4], boxes[~objects, 4]):.3f}")


if __name__ == "__main__":
    sys.exit(main())
