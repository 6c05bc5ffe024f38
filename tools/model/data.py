"""Training data as one table: pixels, labels, colours, boxes; and batches of augmented pictures."""

import csv
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import lexicon
from tower import SIZE

# Sources of crops whose terms let a model trained on them be shipped with any product: CC BY, MIT, this project's own renderings.
PERMISSIVE = ("MachineLearning2020/", "Gautam001601/", "hasanrza888/", "akdiscord1234/", "faridmaulana10/", "KomaHomu/", "llsrwsaint225/", "rendered")
VEHICLES = {"car", "van", "truck", "bus", "vehicle", "minibus", "ambulance"}
COMPLETE = {"traffic-vn", "people-infrared", "vehicles", "highway", "railway", "photos", "rendered"}  # every object has its box


def measured_colour(pixels, label, box):
    """The colour of a person's upper body or of a vehicle, where half of it has one; else nothing. `pixels` (S, S, 3) uint8."""
    side = len(pixels)
    x0, y0, x1, y1 = (np.clip(np.array(box) * side, 0, side)).astype(int)
    w, h = x1 - x0, y1 - y0
    if label == "person":
        if h < 1.4 * w:
            return ""
        part = pixels[y0 + int(0.18 * h):y0 + int(0.45 * h), x0 + int(0.28 * w):x0 + int(0.72 * w)]
    else:
        part = pixels[y0 + int(0.3 * h):y0 + int(0.75 * h), x0 + int(0.15 * w):x0 + int(0.85 * w)]
    if part.size < 3 * 20:
        return ""
    rgb = part.reshape(-1, 3).astype(np.float32) / 255
    high, low = rgb.max(1), rgb.min(1)
    spread = high - low
    saturation = spread / np.maximum(high, 1e-3)
    hue = np.where(high == rgb[:, 0], (rgb[:, 1] - rgb[:, 2]) / np.maximum(spread, 1e-3) % 6,
                   np.where(high == rgb[:, 1], (rgb[:, 2] - rgb[:, 0]) / np.maximum(spread, 1e-3) + 2, (rgb[:, 0] - rgb[:, 1]) / np.maximum(spread, 1e-3) + 4)) * 60
    vivid = (saturation > 0.42) & (high > 0.22)
    shares = {
        "red": vivid & ((hue < 14) | (hue > 340)), "orange": vivid & (hue >= 14) & (hue < 38) & (high > 0.55), "yellow": vivid & (hue >= 40) & (hue < 66) & (high > 0.45),
        "green": vivid & (hue >= 75) & (hue < 165), "blue": vivid & (hue >= 195) & (hue < 255), "purple": vivid & (hue >= 262) & (hue < 300), "pink": (saturation > 0.25) & (hue >= 300) & (hue < 342) & (high > 0.5),
        "white": (saturation < 0.15) & (high > 0.78), "black": high < 0.2,
    }
    colour, share = max(((c, m.mean()) for c, m in shares.items()), key=lambda i: i[1])
    return colour if share > (0.6 if colour in ("black", "white") else 0.5) else ""


class Part:
    """One file of pictures with their rows; with `permissive` only those of sources that allow any use."""

    def __init__(self, folder: Path, name: str, split: str, permissive: bool = False):
        rows = [line.rstrip("\n").split("\t") for line in (folder / f"{name}.tsv").open()]
        pixels = np.load(folder / f"{name}.npy", mmap_mode="r")
        free = lambda row: row[2].startswith("CC BY") if name in ("windows", "pseudo") else row[1].startswith(PERMISSIVE)
        chosen = [i for i, row in enumerate(rows) if row[0] == split and (not permissive or free(row))]
        rows = [rows[i] for i in chosen]
        self.pixels = pixels[chosen]
        if name in ("windows", "pseudo"):
            self.sets, label, box, self.others = ([r[i] for r in rows] for i in (1, 3, 4, 5))
            colour = [""] * len(rows)
            said = [""] * len(rows)
        else:
            self.sets, label, colour, box, said = ([r[i] for r in rows] for i in (1, 2, 3, 4, 5))
            self.others = [""] * len(rows)
        self.labels = [lexicon.RENAMED.get(v, v) for v in label]
        self.boxes = np.array([[float(v) for v in b.split()] if b else [0, 0, 0, 0] for b in box], np.float32)
        self.boxed = np.array([bool(b) and label != "background" for b, label in zip(box, self.labels)])
        self.captions = [s.split("|") if s else [] for s in said]
        self.colours = list(colour)
        if name in ("windows", "pseudo"):
            for i, (where, label) in enumerate(zip(self.sets, self.labels)):
                if where not in ("people-infrared",) and (label == "person" or label in VEHICLES):
                    self.colours[i] = measured_colour(self.pixels[i], label, self.boxes[i])
        self.complete = np.array([s in COMPLETE for s in self.sets])

    def chances(self, known, background=None):
        """Cumulative chances: each label as the square root of how often it is there; backgrounds a fixed share."""
        count = {}
        for label in self.labels:
            count[label] = count.get(label, 0) + 1
        weights = np.array([count[v] ** -0.5 if v in known else 0.0 for v in self.labels])
        if background:
            there = np.array([v == "background" for v in self.labels])
            weights[there] *= background * weights[~there].sum() / (1 - background) / max(weights[there].sum(), 1e-9)
        return np.cumsum(weights / weights.sum())


NEGATIVE_SETS = {"traffic-vn", "vehicles", "highway", "photos"}  # objects of every kind have boxes: what has none is background
FEW_CLASSES = {"people-infrared", "railway"}  # people alone have boxes: the rest is rarely an object
CENTRAL = 0.3  # share of an object's side, to each side of its middle, in which patches stand for it
SMALLEST_IN_TILE, LARGEST_IN_TILE = 0.1, 1.15  # longer side of an object that tiles of that size are to find


class Scenes:
    """Squares of photos with the boxes of all objects in them."""

    def __init__(self, folder: Path, names, split: str, permissive: bool = False):
        self.boxes, self.sets, pixels = [], [], []
        for name in names:
            rows = [line.rstrip("\n").split("\t") for line in (folder / f"{name}.tsv").open()]
            chosen = [i for i, row in enumerate(rows) if row[0] == split and (not permissive or row[2].startswith("CC BY"))]
            pixels.append(np.load(folder / f"{name}.npy", mmap_mode="r")[chosen])
            self.sets += [rows[i][1] for i in chosen]
            for i in chosen:
                objects = [o.split(" ") for o in rows[i][3].split(";") if o]
                objects = [o for o in objects if not (rows[i][1] == "railway" and o[0] == "-")]  # the rails
                self.boxes.append([(lexicon.RENAMED.get(o[0].replace("_", " "), o[0].replace("_", " ")), *map(float, o[1:])) for o in objects])
        self.pixels = np.concatenate(pixels)
        count = {s: self.sets.count(s) for s in set(self.sets)}
        weights = np.array([count[s] ** -0.5 * (2.0 if s in ("flickr-pseudo", "traffic-vn") else 0.5 if s == "railway" else 1.0) for s in self.sets])
        self.chances = np.cumsum(weights / weights.sum())

    def draw(self, count, rng):
        """Pictures (count, 3, SIZE, SIZE) in 0..1 and, for each, its set and boxes."""
        at = np.sort(np.searchsorted(self.chances, rng.uniform(0, 1 - 1e-9, count)))
        side = rng.uniform(0.72, 1.0, count)
        middle = 0.5 + rng.uniform(-0.5, 0.5, (count, 2)) * (1 - side)[:, None]
        flip = np.where(rng.uniform(size=count) < 0.5, -1.0, 1.0)
        theta = np.zeros((count, 2, 3), np.float32)
        theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = side * flip, side, 2 * middle - 1
        source = torch.from_numpy(np.ascontiguousarray(self.pixels[at])).permute(0, 3, 1, 2).float() / 255
        grid = F.affine_grid(torch.from_numpy(theta), (count, 3, SIZE, SIZE), align_corners=False)
        crops = F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)
        boxes = []
        for n, i in enumerate(at):
            moved = []
            for label, *box in self.boxes[i]:
                x0, y0, x1, y1 = ((v - middle[n, k % 2]) / side[n] + 0.5 for k, v in enumerate(box))
                moved.append((label, *((1 - x1, y0, 1 - x0, y1) if flip[n] < 0 else (x0, y0, x1, y1))))
            boxes.append((self.sets[i], moved))
        return crops, boxes


def patch_targets(where, boxes, cells):
    """What the patches at `cells` (P, 2) stand for: index of a box or -1 (P,), and the weight (P,) of being no object: 0 where that is not known."""
    owner, weight = np.full(len(cells), -1), np.full(len(cells), 1.0 if where in NEGATIVE_SETS else 0.3 if where in FEW_CLASSES else 0.0)
    sizes = np.full(len(cells), np.inf)
    for i, (label, x0, y0, x1, y1) in enumerate(boxes):
        w, h, cx, cy = x1 - x0, y1 - y0, (x0 + x1) / 2, (y0 + y1) / 2
        inside = (cells[:, 0] > x0) & (cells[:, 0] < x1) & (cells[:, 1] > y0) & (cells[:, 1] < y1)
        weight[inside] = 0.0
        seen = max(min(x1, 1) - max(x0, 0), 0) * max(min(y1, 1) - max(y0, 0), 0) / max(w * h, 1e-9)
        if label == "-" or not SMALLEST_IN_TILE <= max(w, h) <= LARGEST_IN_TILE or seen < 0.6:
            continue
        distance = np.maximum(np.abs(cells[:, 0] - cx) / w, np.abs(cells[:, 1] - cy) / h)
        central = inside & (distance < CENTRAL)
        central[np.argmin((cells[:, 0] - cx) ** 2 + (cells[:, 1] - cy) ** 2)] = True
        mine = central & (w * h < sizes)
        owner[mine], sizes[mine], weight[mine] = i, w * h, 0.0
    return owner, weight


def cut(pixels, boxes, boxed, rng, loose, away=0.0, parts=0.0):
    """Random squares of (N, S, S, 3) uint8 as (N, 3, SIZE, SIZE) in 0..1, boxes (N, 4) in fractions of them, and which show their
    object off their middle or a part of it on purpose. `loose` is the range of the square's side, in sides of the picture; `away` and `parts` are the
    shares of boxed pictures cut off the middle, and inside the object."""
    n = len(pixels)
    scale = rng.uniform(*loose, n)
    middle = np.where(boxed[:, None], (boxes[:, :2] + boxes[:, 2:]) / 2, 0.5)
    shift = rng.normal(0, 0.07, (n, 2)).clip(-0.16, 0.16)
    off = boxed & (rng.uniform(size=n) < away)
    angle = rng.uniform(0, 2 * np.pi, n)
    shift[off] = 0.55 * np.stack([np.cos(angle), np.sin(angle)], 1)[off]
    scale[off] = np.minimum(scale[off], 0.7)
    inside = boxed & ~off & (rng.uniform(size=n) < parts)  # a square of 0.3 to 0.6 of the longer side, somewhere in the box
    extent = boxes[:, 2:] - boxes[:, :2]
    scale[inside] = (rng.uniform(0.3, 0.6, n) * extent.max(1))[inside]
    spot = boxes[:, :2] + extent * rng.uniform(0.15, 0.85, (n, 2))
    shift[inside] = ((spot - middle) / scale[:, None])[inside]
    stretch = np.exp(rng.normal(0, 0.05, n))
    sides = np.stack([scale * stretch, scale / stretch], 1)
    middle = middle + shift * sides
    reach = np.maximum(0.0, 0.5 - sides / 2)  # stay within the picture where the square fits
    middle = np.where(boxed[:, None], middle, 0.5 + (middle - 0.5).clip(-reach, reach))
    flip = np.where(rng.uniform(size=n) < 0.5, -1.0, 1.0)
    theta = np.zeros((n, 2, 3), np.float32)
    theta[:, 0, 0], theta[:, 1, 1] = sides[:, 0] * flip, sides[:, 1]
    theta[:, :, 2] = 2 * middle - 1
    source = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    grid = F.affine_grid(torch.from_numpy(theta), (n, 3, SIZE, SIZE), align_corners=False)
    crops = F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)
    low = (boxes[:, :2] - middle) / sides + 0.5
    high = (boxes[:, 2:] - middle) / sides + 0.5
    back = flip < 0
    low[back, 0], high[back, 0] = 1 - high[back, 0], 1 - low[back, 0]
    return crops, torch.from_numpy(np.concatenate([low, high], 1).astype(np.float32)), off | inside


def weather(crops, rng):
    """Light, colour, noise, blur and small sources, as cameras have them. Returns the crops and which lost their colour."""
    n = len(crops)
    for i in np.flatnonzero(rng.uniform(size=n) < 0.45):  # few pixels of source
        side = int(rng.choice([20, 26, 32, 40, 52, 64]))
        crops[i:i + 1] = F.interpolate(F.interpolate(crops[i:i + 1], side, mode="bilinear", antialias=True), SIZE, mode="bicubic")
    pick = lambda values: torch.from_numpy(np.asarray(values, np.float32)).view(n, 1, 1, 1)
    gamma = pick(np.exp(rng.normal(0, 0.2, n)))
    crops = crops.clamp(0, 1).pow(gamma)
    mean = crops.mean((1, 2, 3), keepdim=True)
    crops = (crops - mean) * pick(np.exp(rng.normal(0, 0.22, n))) + mean * pick(np.exp(rng.normal(0, 0.16, n)))
    dark = rng.uniform(size=n) < 0.1
    crops = crops * pick(np.where(dark, rng.uniform(0.2, 0.5, n), 1.0))
    crops = crops * torch.from_numpy(np.exp(rng.normal(0, 0.04, (n, 3, 1, 1))).astype(np.float32))
    grey = rng.uniform(size=n) < 0.07
    crops[grey] = crops[grey].mean(1, keepdim=True).expand(-1, 3, -1, -1)
    noise = np.abs(rng.normal(0, 0.02, n)) + np.where(dark, 0.02, 0)
    crops = crops + torch.randn_like(crops) * pick(noise)
    return crops.clamp(0, 1), grey | (dark & (rng.uniform(size=n) < 0.5))
