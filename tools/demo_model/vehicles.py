"""Vehicles on four wheels or more."""

import numpy as np

from palette import paint, sample, shade
from shapes import GLASS, line, lit, poly, rounded, wheel


def car(canvas, rng, colour, step=None, trait=None, second=None):
    length, height = {
        "small": (rng.uniform(2.9, 3.3), rng.uniform(1.5, 1.64)), "large": (rng.uniform(4.9, 5.3), rng.uniform(1.7, 1.88)),
    }.get(trait, (rng.uniform(3.9, 4.7), rng.uniform(1.36, 1.55)))
    half, hood = length / 2, -rng.uniform(0.85, 0.98)
    front, back, tail = rng.uniform(0.16, 0.24) * length, -rng.uniform(0.26, 0.36) * length, rng.uniform(-0.05, 0.15)
    poly(canvas, [(back - 0.35, hood), (back + 0.25, -height), (front - 0.55, -height), (front + 0.25, hood)], lit(shade(colour, 0.95), -height, hood), 0.15)
    poly(canvas, [(-half, -0.28), (-half, hood + 0.1 - tail), (-half + 0.25, hood), (half - 0.9, hood), (half - 0.06, hood + 0.24), (half, -0.28)], lit(colour, hood, -0.2), 0.16)
    gap = (back + front) / 2 - 0.1
    poly(canvas, [(back - 0.12, hood), (back + 0.30, -height + 0.11), (gap - 0.04, -height + 0.11), (gap - 0.04, hood)], paint(shade(GLASS, rng.uniform(0.45, 0.9))), 0.04)
    poly(canvas, [(gap + 0.04, hood), (gap + 0.04, -height + 0.11), (front - 0.62, -height + 0.11), (front + 0.05, hood)], paint(shade(GLASS, rng.uniform(0.45, 0.9))), 0.04)
    line(canvas, [(gap, hood), (gap, -0.35)], shade(colour, 0.6), 0.025)
    line(canvas, [(-half + 0.1, -0.36), (half - 0.1, -0.36)], shade(colour, 0.55), 0.07)
    for x in (-half + 0.78, half - 0.82):
        canvas.drawCircle(x, -0.33, 0.39, paint((0.06, 0.06, 0.07)))
        wheel(canvas, x, 0.32)
    rounded(canvas, half - 0.22, hood + 0.26, half - 0.02, hood + 0.40, 0.04, paint((0.98, 0.97, 0.85)))
    rounded(canvas, -half + 0.01, hood + 0.2, -half + 0.14, hood + 0.40, 0.04, paint((0.75, 0.08, 0.08)))
    return length, height


def van(canvas, rng, colour, step=None, trait=None, second=None):
    length, height = rng.uniform(4.7, 5.4), rng.uniform(2.1, 2.5)
    half = length / 2
    poly(canvas, [(-half, -0.3), (-half, -height), (half - 1.35, -height), (half - 0.72, -1.18), (half - 0.06, -0.98), (half, -0.3)], lit(colour, -height, -0.2), 0.16)
    poly(canvas, [(half - 1.95, -1.15), (half - 1.95, -height + 0.22), (half - 1.42, -height + 0.22), (half - 0.88, -1.15)], paint(shade(GLASS, rng.uniform(0.4, 0.9))), 0.05)
    for x in (half - 2.1, -half + 1.2):
        line(canvas, [(x, -height + 0.15), (x, -0.45)], shade(colour, 0.75), 0.025)
    if rng.uniform() < 0.3:
        poly(canvas, [(-half + 0.4, -1.2), (-half + 0.4, -height + 0.25), (half - 2.3, -height + 0.25), (half - 2.3, -1.2)], paint(shade(GLASS, 0.6)), 0.05)
    line(canvas, [(-half + 0.1, -0.38), (half - 0.1, -0.38)], shade(colour, 0.5), 0.08)
    for x in (-half + 0.95, half - 0.90):
        canvas.drawCircle(x, -0.36, 0.42, paint((0.06, 0.06, 0.07)))
        wheel(canvas, x, 0.35)
    rounded(canvas, half - 0.2, -0.92, half - 0.02, -0.72, 0.05, paint((0.98, 0.97, 0.85)))
    rounded(canvas, -half + 0.02, -1.2, -half + 0.12, -0.8, 0.03, paint((0.75, 0.08, 0.08)))
    return length, height


def bus(canvas, rng, colour, step=None, trait=None, second=None):
    length, height = rng.uniform(8.5, 11.5), rng.uniform(2.9, 3.2)
    half = length / 2
    rounded(canvas, -half, -height, half, -0.32, 0.22, lit(colour, -height, -0.3))
    glass = shade(GLASS, rng.uniform(0.4, 0.85))
    count = int(rng.integers(5, 8))
    width = (length - 1.5) / count
    for i in range(count):
        x = -half + 0.25 + i * width
        rounded(canvas, x, -height + 0.35, x + width - 0.14, -1.45, 0.06, paint(glass))
    rounded(canvas, half - 1.05, -height + 0.35, half - 0.08, -0.45, 0.06, paint(shade(glass, 0.85)))
    line(canvas, [(half - 0.56, -height + 0.4), (half - 0.56, -0.5)], shade(colour, 0.6), 0.05)
    line(canvas, [(-half + 0.1, -1.2), (half - 1.2, -1.2)], shade(colour, 0.65), 0.07)
    for x in (-half + 2.0, half - 2.1):
        canvas.drawCircle(x, -0.46, 0.58, paint((0.06, 0.06, 0.07)))
        wheel(canvas, x, 0.48)
    return length, height


def truck(canvas, rng, colour, step=None, trait=None, second=None):
    length, height = rng.uniform(6.8, 8.5), rng.uniform(2.9, 3.4)
    half = length / 2
    box = sample(rng, "white") if rng.uniform() < 0.35 else shade(colour, rng.uniform(0.85, 1.1))
    rounded(canvas, -half, -height, half - 2.1, -0.85, 0.05, lit(box, -height, -0.8))
    for x in np.arange(-half + 0.7, half - 2.2, 0.8):
        line(canvas, [(x, -height + 0.12), (x, -0.97)], shade(box, 0.85), 0.03)
    rounded(canvas, -half, -0.88, half - 0.2, -0.62, 0.03, paint((0.16, 0.16, 0.18)))
    cab = -height * rng.uniform(0.74, 0.86)
    poly(canvas, [(half - 1.95, -0.45), (half - 1.95, cab), (half - 0.55, cab), (half - 0.08, -1.45), (half, -0.45)], lit(colour, cab, -0.4), 0.14)
    poly(canvas, [(half - 1.5, -1.4), (half - 1.5, cab + 0.25), (half - 0.62, cab + 0.25), (half - 0.22, -1.4)], paint(shade(GLASS, rng.uniform(0.4, 0.9))), 0.05)
    for x in (-half + 0.9, -half + 1.95, half - 1.0):
        wheel(canvas, x, 0.47)
    return length, height
