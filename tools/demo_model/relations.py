"""Relations: still scenes with things in a known layout, each with a phrase that says where or how many, and whether that is so.

`python relations.py OUT --count N --seed S` writes OUT/relations.jpg, the scenes under each other at 640x360, and
OUT/relations.json: by scene the phrase, its kind, the answer, zones by name, and the true boxes. Kinds come in turn, and of
each kind every other scene answers yes. What is so follows from how a scene was laid out, not from any rule on boxes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import skia
from PIL import Image

from clip import HEIGHT, HORIZON, WIDTH, _backdrop
from crops import RECIPES, place, thing
from palette import COLOURS

SEED = 77_003  # of no training crop and no clip
KINDS = ["left_of", "right_of", "near", "above", "on", "without", "at_least", "in_front_of", "inside", "near_zone"]
ALL = ["person", "bicycle", "car", "dog", "motorcycle", "cyclist", "van", "bus", "truck"]
STANDS = ["traffic light", "bench", "trash can", "fire hydrant", "traffic sign"]
ZONES = ["gate", "yard", "driveway"]


def scale(ground):
    """Pixels a metre where feet stand on this row: as in the clips."""
    return 0.45 * (ground - HORIZON + 27)


def one(rng, options):
    return options[rng.integers(len(options))]


class Layout:
    """What stands where: a thing, the middle of its foot in pixels, pixels a metre, and the row from which it hides others."""

    def __init__(self, rng):
        self.rng, self.parts = rng, []

    def plain(self, noun):
        while True:
            made = thing(self.rng, RECIPES["standard"], noun)
            if made.trait is None:
                return made

    def put(self, noun, x, ground, m=None, before=None):
        """Stands a thing, smaller if it would not fit the frame's width otherwise, before all that stands on the row `before`,
        as a rule its own; gives its box."""
        made = self.plain(noun)
        width, height = made.size()
        m = min(m or scale(ground), 0.34 * WIDTH / width)
        x = float(np.clip(x, width * m / 2 + 4, WIDTH - width * m / 2 - 4))
        self.parts.append((made, x, ground, m, ground if before is None else before))
        return x - width * m / 2, ground - height * m, x + width * m / 2, ground

    def said(self, index, article="a"):
        """A phrase for a part: with its colour in half of the cases, if it has one."""
        made = self.parts[index][0]
        coloured = made.colour and made.noun not in ("traffic light", "person", "cyclist") and self.rng.uniform() < 0.5
        words = f"{made.colour} {made.noun}" if coloured else made.noun
        return f"{'an' if article == 'a' and words[0] in 'aeiou' else article} {words}"


def lay(kind, answer, rng):
    """One scene: the layout, the phrase and the zones."""
    scene, zones = Layout(rng), {}
    ground = lambda: float(rng.uniform(285, 335))
    left, right = lambda: rng.uniform(0.08, 0.30) * WIDTH, lambda: rng.uniform(0.70, 0.92) * WIDTH
    target, anchor = one(rng, ALL), one(rng, STANDS + ALL)
    while anchor == target or {anchor, target} in ({"person", "cyclist"}, {"bicycle", "cyclist"}, {"van", "bus"}, {"van", "truck"}, {"bus", "truck"}):
        anchor = one(rng, STANDS + ALL)
    if kind in ("left_of", "right_of"):
        sides = (left(), right()) if (kind == "left_of") == answer else (right(), left())
        scene.put(target, sides[0], ground())
        scene.put(anchor, sides[1], ground())
        words = {"left_of": ["to the left of", "left of", "on the left side of"], "right_of": ["to the right of", "right of", "on the right side of"]}
        phrase = f"{scene.said(0)} {one(rng, words[kind])} {scene.said(1, one(rng, ['a', 'the']))}"
    elif kind == "near":
        target, anchor = one(rng, ["person", "dog", "bicycle"]), one(rng, STANDS + ["car"])
        row = ground()
        box = scene.put(anchor, left() if rng.uniform() < 0.5 else right(), row)
        towards = 1 if box[0] + box[2] < WIDTH else -1
        edge, m = (box[2] if towards > 0 else box[0]), scale(row)
        width = scene.plain(target).size()[0] * m
        gap = rng.uniform(0.1, 0.4) * m if answer else rng.uniform(5.5, 6.5) * m
        scene.put(target, edge + towards * (gap + width / 2), row + rng.uniform(-2, 4))
        scene.parts.reverse()
        phrase = f"{scene.said(0)} {one(rng, ['near', 'next to', 'close to', 'beside'])} {scene.said(1, one(rng, ['a', 'the']))}"
    elif kind == "above":
        box = scene.put(one(rng, ["car", "bench", "van", "trash can"]), rng.uniform(0.3, 0.7) * WIDTH, ground())
        m = scene.parts[0][3] * 1.6
        if answer:
            scene.put("bird", (box[0] + box[2]) / 2 + rng.uniform(-0.2, 0.2) * (box[2] - box[0]), box[1] - rng.uniform(30, 60), m)
        else:
            scene.put("bird", box[2] + rng.uniform(40, 90) if box[0] + box[2] < WIDTH else box[0] - rng.uniform(40, 90), box[3], m)
        scene.parts.reverse()
        phrase = f"a bird above {scene.said(1, one(rng, ['a', 'the']))}"
    elif kind == "on":
        under = one(rng, ["bench", "car"])
        box = scene.put(under, rng.uniform(0.3, 0.7) * WIDTH, ground())
        m, sitter = scene.parts[0][3] * 1.3, one(rng, ["cat", "bird", "dog"])
        if answer:
            # A bench's seat is about half as high as its back, a car's roof is its top.
            row = box[3] - (0.5 if under == "bench" else 0.97) * (box[3] - box[1])
            scene.put(sitter, (box[0] + box[2]) / 2, row, m, before=box[3] + 1)
        else:
            scene.put(sitter, box[2] + rng.uniform(40, 90) if box[0] + box[2] < WIDTH else box[0] - rng.uniform(40, 90), box[3] + 4, m)
        scene.parts.reverse()
        phrase = f"a {sitter} {one(rng, ['on', 'on top of'])} {scene.said(1)}"
    elif kind == "without":
        target, anchor = one(rng, ["dog", "bicycle", "car"]), one(rng, ["person", "cyclist"] if target == "dog" else ["person", "dog"])
        scene.put(target, left() if rng.uniform() < 0.5 else right(), ground())
        if anchor == target:
            anchor = "person"
        phrase = f"a {target} without a {anchor}"
        other = WIDTH - scene.parts[0][1]
        scene.put(one(rng, STANDS) if answer else anchor, other, ground())
    elif kind == "at_least":
        noun = one(rng, ["person", "car", "dog", "bicycle", "motorcycle"])
        wanted = int(rng.integers(2, 4))
        there = wanted if answer else wanted - 1
        row, slots = ground(), rng.permutation(3)[:there]
        for slot in slots:
            scene.put(noun, (slot + 0.5) / 3 * WIDTH + rng.uniform(-25, 25), min(row, 310) + rng.uniform(-6, 6))
        many = {"person": "people"}.get(noun, noun + "s")
        number = ["two", "three"][wanted - 2]
        phrase = f"{one(rng, ['at least ' + number, number])} {many}"
    elif kind == "in_front_of":
        behind = one(rng, ["bus", "van", "truck", "car"])
        box = scene.put(behind, rng.uniform(0.35, 0.65) * WIDTH, float(rng.uniform(268, 285)))
        before = one(rng, ["dog", "bicycle", "person"])
        if answer:
            scene.put(before, (box[0] + box[2]) / 2 + rng.uniform(-0.2, 0.2) * (box[2] - box[0]), box[3] + rng.uniform(14, 30))
        else:
            scene.put(before, left() if rng.uniform() < 0.5 else right(), box[3] - rng.uniform(4, 10))
            spare = 0.62 * WIDTH if scene.parts[1][1] < WIDTH / 2 else 0.38 * WIDTH
            scene.parts[0] = (scene.parts[0][0], spare, *scene.parts[0][2:])
        scene.parts.reverse()
        phrase = f"a {before} in front of {scene.said(1, one(rng, ['a', 'the']))}"
    else:  # a zone on one side; the thing is in it, near it, or on the other side
        name, on_left = one(rng, ZONES), rng.uniform() < 0.5
        x0, x1 = (0.0, 0.38) if on_left else (0.62, 1.0)
        zones[name] = [[x0, 0.55], [x1, 0.55], [x1, 1.0], [x0, 1.0]]
        here, there = (left(), right()) if on_left else (right(), left())
        target = one(rng, ["person", "dog", "car", "bicycle", "motorcycle"])
        scene.put(target, here if answer else there, ground())
        phrase = f"{scene.said(0)} {'inside' if kind == 'inside' else one(rng, ['near', 'at', 'close to'])} the {name}"
    return scene.parts, phrase, zones


def draw(parts, rng):
    surface = skia.Surface(WIDTH, HEIGHT)
    canvas = surface.getCanvas()
    canvas.drawImage(_backdrop(int(rng.integers(1 << 31)), HORIZON, rng.uniform(0.1, 0.5)), 0, 0)
    boxes = {}
    for index in sorted(range(len(parts)), key=lambda i: parts[i][4]):
        made, x, ground, m, _ = parts[index]
        boxes[index] = [round(float(v), 1) for v in place(canvas, made, x, ground, m, rng.uniform() < 0.5)]
    pixels = surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3].astype(np.float32)
    pixels = pixels + rng.normal(0, 2.0, pixels.shape)
    shown = [{"noun": parts[i][0].noun, "colour": parts[i][0].colour if parts[i][0].colour in COLOURS else None, "box": boxes[i]} for i in range(len(parts))]
    return np.clip(pixels, 0, 255).astype(np.uint8), shown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quality", type=int, default=85)
    args = parser.parse_args()
    sheet, scenes = [], []
    for index in range(args.count):
        rng = np.random.default_rng([SEED, args.seed, index])
        kind, answer = KINDS[index % len(KINDS)], (index // len(KINDS) + index % len(KINDS)) % 2 == 0
        parts, phrase, zones = lay(kind, answer, rng)
        pixels, things = draw(parts, rng)
        sheet.append(pixels)
        scenes.append({"kind": kind, "phrase": phrase, "answer": answer, "zones": zones, "things": things})
    args.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(sheet)).save(args.out / "relations.jpg", quality=args.quality)
    (args.out / "relations.json").write_text(json.dumps({"width": WIDTH, "height": HEIGHT, "scenes": scenes}, separators=(",", ":")) + "\n")
