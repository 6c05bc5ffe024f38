"""Crops: square pictures as lookout cuts them from a frame, each with what it shows.

`python crops.py OUT --count N --seed S` renders N crops of 72x72 into OUT/pixels.npy (uint8 NHWC) and OUT/labels.npy
(int16: noun or -1, colour or -1, background kind or -1). Shards are written as they are done, so that training can begin.
"""

import argparse
import io
import math
import multiprocessing
from pathlib import Path

import numpy as np
import skia
from PIL import Image, ImageFilter

import street
from palette import COLOURS, paint, sample
from things import COLOURLESS, DRAW, NOUNS

SIDE = 72
BACKGROUND_SHARE = 0.22
SHARD = 2000


def place(canvas, rng, noun, colour, x, ground, m, flip, step=None):
    """Draws a thing with its feet at (x, ground) pixels at `m` pixels a metre; returns its box in pixels."""
    canvas.save()
    canvas.translate(x, ground)
    canvas.scale(-m if flip else m, m)
    canvas.drawOval(skia.Rect.MakeLTRB(-0.5, -0.03, 0.5, 0.05), paint((0, 0, 0), 0.25))
    width, height = DRAW[noun](canvas, rng, colour, step)
    canvas.restore()
    return x - width * m / 2, ground - height * m, x + width * m / 2, ground


def measure(noun, seed, colour):
    """The size in metres that a thing will have when it is drawn with this seed."""
    surface = skia.Surface(4, 4)
    return DRAW[noun](surface.getCanvas(), np.random.default_rng(seed), colour)


def weather(rng, picture: Image.Image) -> Image.Image:
    """What light, lens, sensor and codec do to a picture."""
    pixels = np.asarray(picture, dtype=np.float32)
    time = rng.uniform()
    if time < 0.14:
        pixels = pixels * np.array([0.58, 0.62, 0.78]) * rng.uniform(0.8, 1.05)
    elif time < 0.28:
        pixels = pixels * np.array([0.98, 0.84, 0.72]) * rng.uniform(0.8, 1.0)
    pixels = 255 * np.clip(pixels / 255, 0, 1) ** rng.uniform(0.85, 1.2)
    pixels = (pixels - 128) * rng.uniform(0.8, 1.12) + 128 + rng.uniform(-14, 14)
    if rng.uniform() < 0.08:  # rain
        for _ in range(25):
            x, y = rng.integers(0, pixels.shape[1]), rng.integers(0, pixels.shape[0] - 8)
            pixels[y:y + 8, x] = pixels[y:y + 8, x] * 0.6 + 80
    if rng.uniform() < 0.6:
        pixels = pixels + rng.normal(0, rng.uniform(1, 9), pixels.shape)
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if rng.uniform() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.1)))
    if rng.uniform() < 0.45:
        held = io.BytesIO()
        picture.save(held, "JPEG", quality=int(rng.uniform(30, 92)))
        picture = Image.open(held).convert("RGB")
    return picture


def crop(rng: np.random.Generator):
    """One crop: (SIDE, SIDE, 3) uint8 and (noun, colour, kind), each -1 where it does not apply."""
    side = int(rng.choice([48, 72, 72, 100, 140]))
    surface = skia.Surface(side, side)
    canvas = surface.getCanvas()
    background = rng.uniform() < BACKGROUND_SHARE
    if background:
        kind = str(rng.choice(street.KINDS, p=[0.5, 0.14, 0.06, 0.1, 0.12, 0.08]))
        m = side / math.exp(rng.uniform(math.log(1.0), math.log(14)))
        horizon = side * rng.uniform(0.15, 0.85)
        textured = kind == "street" and rng.uniform() < 0.1
        street.draw(canvas, rng, side, side, m, horizon, "texture" if textured else kind, 1.6)
        if kind == "street" and rng.uniform() < 0.3:
            _sliver(canvas, rng, side)
        labels = (-1, -1, street.KINDS.index(kind))
    else:
        noun = NOUNS[rng.integers(len(NOUNS))]
        colour = COLOURS[rng.integers(len(COLOURS))]
        rgb, seed = sample(rng, colour), int(rng.integers(1 << 31))
        width, height = measure(noun, seed, rgb)
        share = rng.uniform(0.30, 0.97)
        m = share * side / max(width, height)
        inside = 0.86 if share > 0.8 else 0.97
        slack_x, slack_y = side - width * m * inside, side - height * m * inside
        x0 = rng.uniform(min(0, slack_x), max(0, slack_x)) - width * m * (1 - inside) / 2
        ground = rng.uniform(min(0, slack_y), max(0, slack_y)) + height * m - height * m * (1 - inside) / 2
        behind = "texture" if rng.uniform() < 0.06 else "street"
        street.draw(canvas, rng, side, side, m, ground - rng.uniform(-0.15, 1.5) * m, behind)
        if rng.uniform() < 0.25:
            _sliver(canvas, rng, side)
        place(canvas, np.random.default_rng(seed), noun, rgb, x0 + width * m / 2, ground, m, rng.uniform() < 0.5)
        if rng.uniform() < 0.12:  # something in front of it
            x, wide = rng.uniform(0, side), rng.uniform(0.02, 0.12) * side
            canvas.drawRect(skia.Rect.MakeXYWH(x, 0, wide, side), paint(tuple(rng.uniform(0.1, 0.7, 3))))
        labels = (NOUNS.index(noun), -1 if noun in COLOURLESS else COLOURS.index(colour), -1)
    picture = Image.fromarray(surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3])
    picture = weather(rng, picture).resize((SIDE, SIDE), Image.BICUBIC)
    return np.asarray(picture), labels


def _sliver(canvas, rng, side):
    """A thing that only just reaches into the crop, as neighbouring tiles have them: too little to be named."""
    noun, colour = NOUNS[rng.integers(len(NOUNS))], sample(rng, COLOURS[rng.integers(len(COLOURS))])
    seed = int(rng.integers(1 << 31))
    width, height = measure(noun, seed, colour)
    m = rng.uniform(0.5, 1.4) * side / max(width, height)
    seen = rng.uniform(0.03, 0.16)
    x = (width * m * (seen - 0.5)) if rng.uniform() < 0.5 else side - width * m * (seen - 0.5)
    place(canvas, np.random.default_rng(seed), noun, colour, x, rng.uniform(0.4, 1.1) * side, m, rng.uniform() < 0.5)


def _shard(job):
    out, seed, index, count = job
    rng = np.random.default_rng([seed, index])
    pixels, labels = zip(*(crop(rng) for _ in range(count)))
    np.save(out / f"labels-{index:05}.npy", np.array(labels, dtype=np.int16))
    np.save(out / f"part-{index:05}.npy", np.stack(pixels))
    (out / f"part-{index:05}.npy").rename(out / f"pixels-{index:05}.npy")


def render(out: Path, count: int, seed: int, workers: int = 2):
    """Renders `count` crops in shards, skipping those that are there already."""
    out.mkdir(parents=True, exist_ok=True)
    jobs = [(out, seed, i, min(SHARD, count - i * SHARD)) for i in range(math.ceil(count / SHARD))]
    jobs = [job for job in jobs if not (out / f"pixels-{job[2]:05}.npy").exists()]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done, _ in enumerate(pool.imap_unordered(_shard, jobs), 1):
            print(f"rendered {done}/{len(jobs)} shards", flush=True)


def load(folder: Path):
    """All shards that are there: pixels (N, 72, 72, 3) uint8 and labels (N, 3) int16."""
    done = sorted(folder.glob("pixels-*.npy"))
    labels = [np.load(path.with_name(path.name.replace("pixels", "labels"))) for path in done]
    return np.concatenate([np.load(path) for path in done]), np.concatenate(labels)


def sheet(pixels, labels, path: Path, columns: int = 12):
    """A contact sheet of the first crops, for eyes."""
    rows = len(pixels) // columns
    page = pixels[:rows * columns].reshape(rows, columns, SIDE, SIDE, 3).swapaxes(1, 2).reshape(rows * SIDE, columns * SIDE, 3)
    Image.fromarray(page).resize((columns * SIDE * 2, rows * SIDE * 2)).save(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    render(args.out, args.count, args.seed, args.workers)
