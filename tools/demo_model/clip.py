"""The demo clip: a fixed camera on one street, and the true box of every thing in every frame.

`python clip.py OUT` renders street.webm (VP8, 640x360, 15 frames a second) and street.json (COCO's form, with the
colour, the share that can be seen, and a track id for each box; `empty` lists the seconds in which nothing is there).
"""

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
import skia

import street
from crops import place
from palette import sample
from things import NOUNS

WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 15, 44
SEED = 40_427  # of no training crop
HORIZON = 205

# noun, colour, seconds from and to, pixels from and to, pixels a metre, ground row, seconds of pause or None
CAST = [
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
EMPTY = [[22.6, 31.4]]


def position(start, end, origin, target, pause, time):
    """Where a thing is at a time, and how far it has come (pixels): steady but for the pause."""
    rest = pause[1] - pause[0] if pause else 0
    moved = time - start
    if pause and time > pause[0]:
        moved = pause[0] - start if time < pause[1] else moved - rest
    share = moved / (end - start - rest)
    return origin + share * (target - origin), abs(target - origin) * share


def overlap(a, b):
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def render(out: Path):
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    backdrop = skia.Surface(WIDTH, HEIGHT)
    street.draw(backdrop.getCanvas(), np.random.default_rng(SEED + 3), WIDTH, HEIGHT, 34, HORIZON, "street", 0.25)
    backdrop = backdrop.makeImageSnapshot()
    colours = [sample(np.random.default_rng(SEED + i), cast[1]) for i, cast in enumerate(CAST)]
    encoder = subprocess.Popen(
        ["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-",
         "-c:v", "libvpx", "-b:v", "700k", "-g", str(2 * FPS), "-quality", "good", "-cpu-used", "2", "-pix_fmt", "yuv420p", str(out / "street.webm")],
        stdin=subprocess.PIPE)
    images, annotations = [], []
    order = sorted(range(len(CAST)), key=lambda i: CAST[i][7])  # nearer things are painted later
    for frame in range(FPS * SECONDS):
        time = frame / FPS
        surface = skia.Surface(WIDTH, HEIGHT)
        canvas = surface.getCanvas()
        canvas.drawImage(backdrop, 0, 0)
        boxes = []
        for i in order:
            noun, colour, start, end, origin, target, m, ground, pause = CAST[i]
            if not start <= time <= end:
                continue
            x, moved = position(start, end, origin, target, pause, time)
            box = place(canvas, np.random.default_rng(SEED + 100 + i), noun, colours[i], x, ground, m, target < origin, moved / m / 1.3 % 1)
            boxes.append((i, box))
        images.append({"id": frame + 1, "frame_index": frame, "time_s": round(time, 4), "file_name": "street.webm", "width": WIDTH, "height": HEIGHT})
        for n, (i, box) in enumerate(boxes):
            seen = [max(0, box[0]), max(0, box[1]), min(WIDTH, box[2]), min(HEIGHT, box[3])]
            if seen[2] - seen[0] < 2 or seen[3] - seen[1] < 2:
                continue
            full = (box[2] - box[0]) * (box[3] - box[1])
            hidden = min(1.0, sum(overlap(seen, other) for _, other in boxes[n + 1:]) / full)
            inside = (seen[2] - seen[0]) * (seen[3] - seen[1]) / full
            annotations.append({
                "id": len(annotations) + 1, "image_id": frame + 1, "category_id": NOUNS.index(CAST[i][0]) + 1, "track_id": i + 1, "iscrowd": 0,
                "bbox": [round(seen[0], 1), round(seen[1], 1), round(seen[2] - seen[0], 1), round(seen[3] - seen[1], 1)],
                "area": round((seen[2] - seen[0]) * (seen[3] - seen[1]), 1),
                "attributes": {"colour": CAST[i][1]}, "visible": round(max(0.0, inside - hidden), 3)})
        pixels = surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3].astype(np.float32)
        pixels = pixels * (1 + 0.01 * np.sin(time * 2.1)) + rng.normal(0, 2.0, pixels.shape)
        encoder.stdin.write(np.clip(pixels, 0, 255).astype(np.uint8).tobytes())
    encoder.stdin.close()
    assert encoder.wait() == 0, "ffmpeg failed"
    truth = {
        "info": {"description": "The true boxes of street.webm, drawn by tools/demo_model/clip.py", "licence": "MIT OR Apache-2.0"},
        "videos": [{"id": 1, "file_name": "street.webm", "width": WIDTH, "height": HEIGHT, "fps": FPS}],
        "categories": [{"id": i + 1, "name": noun} for i, noun in enumerate(NOUNS)],
        "images": images, "annotations": annotations, "empty": EMPTY}
    (out / "street.json").write_text(json.dumps(truth, separators=(",", ":")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    render(parser.parse_args().out)
