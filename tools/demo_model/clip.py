"""Clips: a fixed camera on a rendered street, and the true box of every thing in every frame.

`python clip.py OUT` renders the demo clip: street.webm (VP8, 640x360, 15 frames a second) and street.json (COCO's form,
with the colour, the share that can be seen, and a track id for each box; `empty` lists the seconds in which nothing is there).
`python clip.py OUT --seed S --seconds N [--fps F]` renders another street with another cast, drawn by chance: street-S.webm
and street-S.json. Half of its things are of pairs that the model has never seen. With --nouns, all are of these: many of a
kind pass each other.
"""

import argparse
import dataclasses
import json
import subprocess
from pathlib import Path

import numpy as np
import skia

import street
from crops import RECIPES, Thing, place, thing
from palette import sample
from things import NOUNS

WIDTH, HEIGHT = 640, 360
SEED = 40_427  # of no training crop
HORIZON = 205
# Metres a second, slow enough for a small machine to look several times.
PACE = {"person": 1.4, "dog": 1.6, "cat": 1.3, "bird": 1.2, "cyclist": 2.8, "bicycle": 1.9, "motorcycle": 4.0, "car": 4.2, "van": 4.0,
        "bus": 3.6, "truck": 3.6}
STANDING = ["bench", "trash can", "traffic cone", "fire hydrant", "traffic light", "traffic sign"]


@dataclasses.dataclass
class Part:
    """One thing's crossing: seconds from and to, pixels from and to, pixels a metre, ground row, and a pause or None."""
    thing: Thing
    start: float
    end: float
    origin: float
    target: float
    m: float
    ground: float
    pause: tuple | None = None

    def at(self, time):
        """Where the thing is, and how far it has come (pixels): steady but for the pause."""
        rest = self.pause[1] - self.pause[0] if self.pause else 0
        moved = time - self.start
        if self.pause and time > self.pause[0]:
            moved = self.pause[0] - self.start if time < self.pause[1] else moved - rest
        share = moved / (self.end - self.start - rest)
        return self.origin + share * (self.target - self.origin), abs(self.target - self.origin) * share


@dataclasses.dataclass
class Scene:
    name: str
    seconds: float
    fps: int
    backdrop: skia.Image
    cast: list
    seed: int
    empty: list
    tint: tuple = (1.0, 1.0, 1.0)


def _backdrop(seed, horizon, clutter=0.25):
    surface = skia.Surface(WIDTH, HEIGHT)
    street.draw(surface.getCanvas(), np.random.default_rng(seed), WIDTH, HEIGHT, 34, horizon, "street", clutter)
    return surface.makeImageSnapshot()


def demo() -> Scene:
    """The clip of the README: nine things, one pause, and an empty stretch."""
    cast = [
        ("person", "red", 1.0, 8.5, -40, 680, 62, 300, None),
        ("bicycle", "blue", 5.0, 14.0, 710, -70, 70, 330, (8.0, 11.5)),
        ("bus", "yellow", 11.0, 16.5, -180, 820, 27, 238, None),
        ("car", "red", 15.0, 20.0, 760, -120, 36, 265, None),
        ("dog", "brown", 16.5, 22.5, -50, 690, 88, 336, None),
        ("person", "blue", 31.5, 40.0, 680, -40, 64, 310, (34.0, 36.5)),
        ("bicycle", "red", 31.8, 37.0, -70, 710, 66, 338, None),
        ("van", "white", 36.0, 41.0, 780, -140, 34, 262, None),
        ("cyclist", "green", 37.5, 43.5, -70, 710, 62, 326, None),
    ]
    parts = []
    for i, (noun, colour, *rest) in enumerate(cast):
        rgb = sample(np.random.default_rng(SEED + i), colour)
        parts.append(Part(Thing(noun, colour, None, None, rgb, None, SEED + 100 + i), *rest))
    return Scene("street", 44, 15, _backdrop(SEED + 3, HORIZON), parts, SEED, [[22.6, 31.4]])


def chance(seed: int, seconds: float, fps: int, nouns=tuple(PACE)) -> Scene:
    """Another street, another cast of these nouns: things come one by one, a new one every few seconds, some stop on their way."""
    rng = np.random.default_rng([SEED, seed])
    horizon = rng.uniform(165, 225)
    scale = lambda ground: 0.45 * (ground - horizon + 27)
    parts, time = [], 2.0
    for _ in range(int(rng.integers(0, 3))):
        kept = thing(rng, RECIPES["standard"], STANDING[rng.integers(len(STANDING))])
        ground, x = rng.uniform(horizon + 20, horizon + 60), rng.uniform(60, WIDTH - 60)
        parts.append(Part(kept, 0, seconds, x, x + 1e-6, scale(ground), ground))
    while time < seconds - 6:
        noun = nouns[rng.integers(len(nouns))]
        new = thing(rng, RECIPES["held_out" if rng.uniform() < 0.5 else "standard"], noun)
        if new.trait == "lying":  # what lies does not cross the street
            new.trait = None
        wheels = noun in ("motorcycle", "car", "van", "bus", "truck")
        ground = rng.uniform(horizon + 30, horizon + 70) if wheels else rng.uniform(horizon + 70, HEIGHT - 12)
        m, (width, _) = scale(ground), new.size()
        edge = width * m / 2 + 8
        takes = (WIDTH + 2 * edge) / (PACE[noun] * m * rng.uniform(0.85, 1.15))
        pause = None
        if takes > 4 and rng.uniform() < 0.2:
            rest, begin = rng.uniform(2, 8), time + takes * rng.uniform(0.3, 0.7)
            pause, takes = (begin, begin + rest), takes + rest
        if time + takes < seconds - 1:
            ends = (-edge, WIDTH + edge) if rng.uniform() < 0.5 else (WIDTH + edge, -edge)
            parts.append(Part(new, time, time + takes, *ends, m, ground, pause))
        time += rng.exponential(4.0) + 0.5
    tint = np.array([1.0, 1.0, 1.0]) if rng.uniform() < 0.6 else rng.uniform(0.7, 1.0, 3)
    return Scene(f"street-{seed}", seconds, fps, _backdrop(int(rng.integers(1 << 31)), horizon, rng.uniform(0.1, 0.6)), parts, seed, [], tuple(tint))


def overlap(a, b):
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def _draw(scene: Scene, order, time):
    """The frame at a time, and the box of each part that is there, in painting order."""
    surface = skia.Surface(WIDTH, HEIGHT)
    canvas = surface.getCanvas()
    canvas.drawImage(scene.backdrop, 0, 0)
    boxes = []
    for i in order:
        part = scene.cast[i]
        if part.start <= time <= part.end:
            x, moved = part.at(time)
            box = place(canvas, part.thing, x, part.ground, part.m, part.target < part.origin, moved / part.m / 1.3 % 1)
            boxes.append((i, box))
    pixels = surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3].astype(np.float32)
    return pixels * np.array(scene.tint, np.float32), boxes


def _annotations(scene: Scene, image: int, boxes):
    for n, (i, box) in enumerate(boxes):
        seen = [max(0, box[0]), max(0, box[1]), min(WIDTH, box[2]), min(HEIGHT, box[3])]
        if seen[2] - seen[0] < 2 or seen[3] - seen[1] < 2:
            continue
        full, shown = scene.cast[i].thing, (box[2] - box[0]) * (box[3] - box[1])
        hidden = min(1.0, sum(overlap(seen, other) for _, other in boxes[n + 1:]) / shown)
        inside = (seen[2] - seen[0]) * (seen[3] - seen[1]) / shown
        said = {"colour": full.colour, "trait": full.trait, "second": full.second}
        yield {
            "image_id": image, "category_id": NOUNS.index(full.noun) + 1, "track_id": i + 1, "iscrowd": 0,
            "bbox": [round(seen[0], 1), round(seen[1], 1), round(seen[2] - seen[0], 1), round(seen[3] - seen[1], 1)],
            "area": round((seen[2] - seen[0]) * (seen[3] - seen[1]), 1),
            "attributes": {key: value for key, value in said.items() if value}, "visible": round(max(0.0, inside - hidden), 3)}


def _calm(rng):
    """A still day and a fair sensor."""
    return lambda pixels, time: pixels * (1 + 0.01 * np.sin(time * 2.1)) + rng.normal(0, 2.0, pixels.shape)


def render(scene: Scene, out: Path, weather=None):
    """Writes the video and its truth. `weather` makes of pixels and their time what the sensor has."""
    out.mkdir(parents=True, exist_ok=True)
    weather = weather or _calm(np.random.default_rng(scene.seed))
    file = f"{scene.name}.webm"
    encoder = subprocess.Popen(
        ["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(scene.fps), "-i", "-",
         "-c:v", "libvpx", "-b:v", "700k", "-g", str(2 * scene.fps), "-quality", "good", "-cpu-used", "2", "-pix_fmt", "yuv420p", str(out / file)],
        stdin=subprocess.PIPE)
    images, annotations = [], []
    order = sorted(range(len(scene.cast)), key=lambda i: scene.cast[i].ground)  # nearer things are painted later
    for frame in range(int(scene.fps * scene.seconds)):
        time = frame / scene.fps
        pixels, boxes = _draw(scene, order, time)
        images.append({"id": frame + 1, "frame_index": frame, "time_s": round(time, 4), "file_name": file, "width": WIDTH, "height": HEIGHT})
        annotations += ({"id": len(annotations) + 1 + n, **found} for n, found in enumerate(_annotations(scene, frame + 1, boxes)))
        encoder.stdin.write(np.clip(weather(pixels, time), 0, 255).astype(np.uint8).tobytes())
    encoder.stdin.close()
    assert encoder.wait() == 0, "ffmpeg failed"
    truth = {
        "info": {"description": f"The true boxes of {file}, drawn by tools/demo_model/clip.py", "licence": "MIT OR Apache-2.0"},
        "videos": [{"id": 1, "file_name": file, "width": WIDTH, "height": HEIGHT, "fps": scene.fps}],
        "categories": [{"id": i + 1, "name": noun} for i, noun in enumerate(NOUNS)],
        "images": images, "annotations": annotations, "empty": scene.empty}
    (out / f"{scene.name}.json").write_text(json.dumps(truth, separators=(",", ":")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--nouns", nargs="+", choices=list(PACE), default=list(PACE))
    args = parser.parse_args()
    render(demo() if args.seed is None else chance(args.seed, args.seconds, args.fps, args.nouns), args.out)
