"""Crops: square pictures as lookout cuts them from a frame, each with what it shows and where.

`python crops.py OUT --count N --seed S [--recipe R] [--sheet]` renders N crops of 72x72 in shards, which are there as
they are done, so that training can begin:
- OUT/pixels-*.npy: (n, 72, 72, 3) uint8
- OUT/labels-*.npy: (n, 11) int8: two things' noun, colour, trait, second colour and whether enough of it is seen; then the
  background's kind. -1 where something does not apply.
- OUT/cover-*.npy: (n, 2, 18, 18) uint8: how much of each 4x4 cell shows the thing, 0..255.
"""

import argparse
import dataclasses
import math
import multiprocessing
from pathlib import Path

import numpy as np
import skia
from PIL import Image

import looks
import street
from palette import COLOURS, paint, sample
from things import COLOURED, COLOURLESS, DRAW, HELD_OUT, NOUNS, TRAITS

SIDE, CELL = 72, 4
SHARD = 2000
UNKNOWN = 60  # a cover of which nothing is known
SEEN = 0.45  # share of a thing that makes it count; of less it is said neither that it is there nor that it is not


@dataclasses.dataclass
class Recipe:
    """What a set of crops is made of. A number is a share of the crops, `None` leaves it to chance."""
    background: float = 0.22
    shared: float = 0.10  # two things in one crop
    hidden: float = 0.05  # a third to a half of the thing behind something
    small: float = 0.04  # a thing of 24 pixels or little more
    moving: float = 0.10  # motion blur
    rain: float = 0.08
    lens: float = 0.15
    night: bool | None = None
    jpeg: int | None = None
    held_out: bool = False  # only pairs that training never sees, instead of only those that it does
    edge: float = 0.0  # a third of the thing beyond the crop
    trait: float = 0.45  # of those that can have one
    traited: float = 0.0  # of the things, such as can have a trait: each trait as often as any other
    reach: tuple[float, float] = (0.30, 0.97)  # share of the crop that the thing's longer side takes, from and to


RECIPES = {
    "standard": Recipe(),
    "plain": Recipe(shared=0, hidden=0, small=0),  # one thing, well in sight, in any light and weather
    "hard": Recipe(shared=0.30, hidden=0.28, small=0.18, moving=0.25, rain=0.20, lens=0.35, edge=0.15),
    "far": Recipe(shared=0.05, reach=(0.26, 0.50)),  # little of the crop, as a tile finds what a crop of its own will show
    "traited": Recipe(background=0.05, shared=0.05, traited=1.0, trait=0.8),
    "held_out": Recipe(background=0, shared=0, held_out=True),
    "background": Recipe(background=1.0),
    "small": Recipe(background=0, shared=0, small=1.0, hidden=0),
    "hidden": Recipe(background=0, shared=0, hidden=1.0, small=0),
    "moving": Recipe(background=0, shared=0, moving=1.0, small=0, hidden=0),
    "night": Recipe(background=0, shared=0, night=True, small=0, hidden=0),
    "rain": Recipe(background=0, shared=0, rain=1.0, small=0, hidden=0),
    "jpeg": Recipe(background=0, shared=0, jpeg=30, small=0, hidden=0),
    "lens": Recipe(background=0, shared=0, lens=1.0, small=0, hidden=0),
    "edge": Recipe(background=0, shared=0, edge=1.0, small=0, hidden=0),
    "shared": Recipe(background=0, shared=1.0, small=0, hidden=0),
    "traits": Recipe(background=0, shared=0, trait=0.75, small=0, hidden=0),
}


@dataclasses.dataclass
class Thing:
    """What is drawn: a noun in a colour, with a trait or none."""
    noun: str
    colour: str
    trait: str | None
    second: str | None
    rgb: tuple
    rgb2: tuple | None
    seed: int

    def draw(self, canvas, step=None):
        return DRAW[self.noun](canvas, np.random.default_rng(self.seed), self.rgb, step, self.trait, self.rgb2)

    def size(self):
        """Width and height in metres."""
        return self.draw(skia.Surface(4, 4).getCanvas())

    def label(self, told: bool):
        traits = TRAITS.get(self.noun, [])
        return (NOUNS.index(self.noun), -1 if self.noun in COLOURLESS else COLOURS.index(self.colour),
                traits.index(self.trait) if self.trait else -1, COLOURS.index(self.second) if self.second else -1, int(told))


def thing(rng, recipe: Recipe, noun: str | None = None) -> Thing:
    """A thing of an allowed pair."""
    if noun is None and recipe.traited and rng.uniform() < recipe.traited:
        noun = [noun for noun, traits in TRAITS.items() for _ in traits][rng.integers(sum(map(len, TRAITS.values())))]
    while True:
        chosen = noun or NOUNS[rng.integers(len(NOUNS))]
        colour = COLOURS[rng.integers(len(COLOURS))]
        if ((chosen, colour) in HELD_OUT) == recipe.held_out:
            break
    traits = TRAITS.get(chosen, [])
    trait = traits[rng.integers(len(traits))] if traits and rng.uniform() < recipe.trait else None
    second = COLOURS[rng.integers(len(COLOURS))] if trait in COLOURED else None
    return Thing(chosen, colour, trait, second, sample(rng, colour), sample(rng, second) if second else None, int(rng.integers(1 << 31)))


def place(canvas, thing: Thing, x, ground, m, flip, step=None):
    """Draws a thing with its feet at (x, ground) pixels at `m` pixels a metre; returns its box in pixels."""
    canvas.save()
    canvas.translate(x, ground)
    canvas.scale(-m if flip else m, m)
    canvas.drawOval(skia.Rect.MakeLTRB(-0.5, -0.03, 0.5, 0.05), paint((0, 0, 0), 0.25))
    width, height = thing.draw(canvas, step)
    canvas.restore()
    return x - width * m / 2, ground - height * m, x + width * m / 2, ground


def _layer(rng, side, thing, x, ground, m, smear=0):
    """A thing alone, (side, side, 4) premultiplied float32 0..1, as a camera might see it."""
    surface = skia.Surface(side, side)
    canvas = surface.getCanvas()
    turn, skew, squash = looks.tilt(rng)
    canvas.translate(x, ground)
    canvas.rotate(turn)
    canvas.skew(skew, 0)
    canvas.scale(1, squash)
    place(canvas, thing, 0, 0, m, rng.uniform() < 0.5)
    rgba = surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)
    layer = np.asarray(rgba, dtype=np.float32) / 255
    layer[..., :3] *= layer[..., 3:]
    layer = looks.soften(looks.surface(rng, layer), rng.uniform(0, 0.8))
    return looks.smear(layer, smear) if smear else layer


def _over(below, layer):
    return below * (1 - layer[..., 3:]) + 255 * layer[..., :3]


def _pixels(surface):
    return surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3].astype(np.float32)


def crop(rng: np.random.Generator, recipe: Recipe):
    """One crop: (SIDE, SIDE, 3) uint8, its label of 11 numbers and its cover of (2, 18, 18) uint8."""
    if rng.uniform() < recipe.background:
        side = int(rng.choice([48, 72, 72, 100, 140]))
        pixels, label = _background(rng, recipe, side)
        layers = []
    else:
        small = rng.uniform() < recipe.small
        side = int(rng.choice([36, 48])) if small else int(rng.choice([48, 72, 72, 100, 140]))
        pixels, label, layers = _scene(rng, recipe, side, small)
    pixels = looks.light(rng, pixels, recipe.night)
    if rng.uniform() < recipe.rain:
        pixels = looks.rain(rng, pixels)
    cover = np.zeros((2, SIDE // CELL, SIDE // CELL), np.uint8)
    shown = [np.clip(layer, 0, 1)[..., None] for layer in layers]
    if rng.uniform() < recipe.lens:
        # The covers are bent along with the picture.
        bent = looks.lens(rng, np.concatenate([pixels, *[255 * s for s in shown]], axis=2))
        pixels, shown = bent[..., :3], [bent[..., 3 + i:4 + i] / 255 for i in range(len(shown))]
    for i, mask in enumerate(shown):
        cover[i] = np.asarray(Image.fromarray((255 * mask[..., 0].clip(0, 1)).astype(np.uint8)).resize((SIDE // CELL,) * 2, Image.BOX))
    return looks.sensor(rng, pixels, SIDE, recipe.jpeg), label, cover


NOTHING = (-1, -1, -1, -1, -1)


def _background(rng, recipe, side):
    surface = skia.Surface(side, side)
    kind = str(rng.choice(street.KINDS, p=[0.5, 0.14, 0.06, 0.1, 0.12, 0.08]))
    m = side / math.exp(rng.uniform(math.log(1.0), math.log(14)))
    textured = kind == "street" and rng.uniform() < 0.1
    street.draw(surface.getCanvas(), rng, side, side, m, side * rng.uniform(0.15, 0.85), "texture" if textured else kind, 1.6)
    pixels = _pixels(surface)
    if kind == "street" and rng.uniform() < 0.3:
        pixels = _over(pixels, _sliver(rng, recipe, side))
    return pixels, (*NOTHING, *NOTHING, street.KINDS.index(kind))


def _scene(rng, recipe, side, small):
    """A street with one thing or two: pixels, label, and each thing's visible mask."""
    first = thing(rng, recipe)
    width, height = first.size()
    share = rng.uniform(0.55, 0.9) if small else rng.uniform(*recipe.reach)
    m = share * side / max(width, height)
    inside = 0.86 if share > 0.8 else 0.97
    slack_x, slack_y = side - width * m * inside, side - height * m * inside
    x0 = rng.uniform(min(0, slack_x), max(0, slack_x)) - width * m * (1 - inside) / 2
    ground = rng.uniform(min(0, slack_y), max(0, slack_y)) + height * m - height * m * (1 - inside) / 2
    if rng.uniform() < recipe.edge:
        out = rng.uniform(0.25, 0.38) * width * m
        x0 = -out if rng.uniform() < 0.5 else side - width * m + out
    x = x0 + width * m / 2
    surface = skia.Surface(side, side)
    behind = "texture" if rng.uniform() < 0.06 else "street"
    street.draw(surface.getCanvas(), rng, side, side, m, ground - rng.uniform(-0.15, 1.5) * m, behind)
    pixels = _pixels(surface)
    if rng.uniform() < 0.25:
        pixels = _over(pixels, _sliver(rng, recipe, side))
    smear = int(rng.integers(3, 4 + side // 14)) if rng.uniform() < recipe.moving else 0
    layers, inside = [(first, _layer(rng, side, first, x, ground, m, smear))], {id(first): 1.0}
    if rng.uniform() < recipe.shared:
        other, layer, within = _companion(rng, recipe, side, first, (x, ground, m, width))
        layers.insert(int(rng.integers(2)), (other, layer))
        inside[id(other)] = within
    masks = {}
    for drawn, layer in layers:
        pixels = _over(pixels, layer)
        masks = {key: mask * (1 - layer[..., 3]) for key, mask in masks.items()}
        masks[id(drawn)] = layer[..., 3] * (layer[..., 3] > 0.4)
    hidden = rng.uniform() < recipe.hidden
    if hidden or rng.uniform() < 0.12:
        front = _front(rng, side, x0, ground, (width * m, height * m), rng.uniform(0.3, 0.5) if hidden else rng.uniform(0.02, 0.12))
        pixels = _over(pixels, front)
        masks = {key: mask * (1 - front[..., 3]) for key, mask in masks.items()}
    layers.sort(key=lambda drawn: drawn[0] is not first)
    told = [inside[id(t)] * masks[id(t)].sum() / max(1.0, layer[..., 3].sum()) >= SEEN for t, layer in layers]
    labels = [t.label(seen) for (t, _), seen in zip(layers, told)] + [NOTHING]
    return pixels, (*labels[0], *labels[1], -1), [masks[id(t)] for t, _ in layers]


def _companion(rng, recipe, side, first, at):
    """A second thing beside the first, and the share of it within the crop. A walker beside a bicycle is common."""
    x, ground, m, width = at
    beside = {"person": ["bicycle", "bicycle", "motorcycle", "dog"], "bicycle": ["person"], "motorcycle": ["person"]}.get(first.noun)
    noun = beside[rng.integers(len(beside))] if beside and rng.uniform() < 0.5 else None
    other = thing(rng, recipe, noun)
    wide, _ = other.size()
    m = m * rng.uniform(0.85, 1.2)
    if wide * m > 1.6 * side:
        m = 1.6 * side / wide
    apart = (width * at[2] + wide * m) / 2 * rng.uniform(0.55, 1.05)
    there = x - apart if (x > side / 2) ^ (rng.uniform() < 0.2) else x + apart
    left, right = there - wide * m / 2, there + wide * m / 2
    inside = max(0.0, min(side, right) - max(0.0, left)) / (right - left)
    layer = _layer(rng, side, other, there, ground + rng.uniform(-0.15, 0.15) * m, m)
    return other, layer, inside


def _front(rng, side, x0, ground, size, share):
    """Something without a name before the thing: a post, a hedge, a wall, a box."""
    surface = skia.Surface(side, side)
    canvas, fill = surface.getCanvas(), paint(tuple(rng.uniform(0.1, 0.75, 3)))
    width, height = size
    kind = rng.integers(3)
    if kind == 0 or share < 0.2:
        canvas.drawRect(skia.Rect.MakeXYWH(rng.uniform(x0, x0 + width * (1 - share)), 0, share * width, side), fill)
    elif kind == 1:
        canvas.drawRect(skia.Rect.MakeXYWH(0, ground - share * height, side, side), fill)
    else:
        for _ in range(14):
            canvas.drawCircle(x0 + rng.uniform(-0.2, 1.2) * width, ground - rng.uniform(0, share) * height, rng.uniform(0.08, 0.2) * width + 2,
                              paint((rng.uniform(0.1, 0.3), rng.uniform(0.3, 0.5), rng.uniform(0.1, 0.25))))
    rgba = np.asarray(surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType), dtype=np.float32) / 255
    rgba[..., :3] *= rgba[..., 3:]
    return looks.surface(rng, rgba)


def _sliver(rng, recipe, side):
    """A thing that only just reaches into the crop, as neighbouring tiles have them: too little to be named."""
    part = thing(rng, recipe)
    width, height = part.size()
    m = rng.uniform(0.5, 1.4) * side / max(width, height)
    seen = rng.uniform(0.03, 0.16)
    x = (width * m * (seen - 0.5)) if rng.uniform() < 0.5 else side - width * m * (seen - 0.5)
    return _layer(rng, side, part, x, rng.uniform(0.4, 1.1) * side, m)


def _shard(job):
    out, seed, index, count, names = job
    rng = np.random.default_rng([seed, index])
    made = [crop(rng, RECIPES[names[i % len(names)]]) for i in range(count)]
    save(out, f"{index:05}", *zip(*made))


def save(out: Path, name: str, pixels, labels, covers):
    """One shard, whole at once."""
    np.save(out / f"labels-{name}.npy", np.array(labels, dtype=np.int8))
    np.save(out / f"cover-{name}.npy", np.stack(covers))
    np.save(out / f"part-{name}.npy", np.stack(pixels))
    (out / f"part-{name}.npy").rename(out / f"pixels-{name}.npy")


def render(out: Path, count: int, seed: int, workers: int = 2, names=("standard",), quiet=False):
    """Renders `count` crops in shards, skipping those that are there already."""
    out.mkdir(parents=True, exist_ok=True)
    jobs = [(out, seed, i, min(SHARD, count - i * SHARD), names) for i in range(math.ceil(count / SHARD))]
    jobs = [job for job in jobs if not (out / f"pixels-{job[2]:05}.npy").exists()]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done, _ in enumerate(pool.imap_unordered(_shard, jobs), 1):
            if not quiet:
                print(f"rendered {done}/{len(jobs)} shards", flush=True)


def load(folder: Path):
    """All shards that are there: pixels (N, 72, 72, 3), labels (N, 11) and covers (N, 2, 18, 18)."""
    done = sorted(folder.glob("pixels-*.npy"))
    part = lambda path, kind: np.load(path.with_name(path.name.replace("pixels", kind)))
    return tuple(np.concatenate([part(path, kind) for path in done]) for kind in ("pixels", "labels", "cover"))


def sheet(pixels, path: Path, columns: int = 12):
    """A contact sheet of crops, for eyes."""
    rows = len(pixels) // columns
    page = pixels[:rows * columns].reshape(rows, columns, SIDE, SIDE, 3).swapaxes(1, 2).reshape(rows * SIDE, columns * SIDE, 3)
    Image.fromarray(page).resize((columns * SIDE * 2, rows * SIDE * 2)).save(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--recipe", action="append", choices=RECIPES, help="repeatable: crop by crop in turn")
    parser.add_argument("--sheet", action="store_true", help="write OUT/sheet.png too")
    args = parser.parse_args()
    render(args.out, args.count, args.seed, args.workers, tuple(args.recipe or ["standard"]))
    if args.sheet:
        sheet(load(args.out)[0][:120], args.out / "sheet.png")
