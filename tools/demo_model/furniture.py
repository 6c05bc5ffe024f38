"""What stands at a street."""

import math

import skia

from palette import paint, shade
from shapes import TYRE, line, lit, one, poly, rounded


def traffic_light(canvas, rng, colour, step=None, trait=None, second=None):
    pole = rng.uniform(0.6, 2.0)
    rounded(canvas, -0.05, -pole - 0.1, 0.05, 0, 0.01, paint((0.35, 0.36, 0.38)))
    rounded(canvas, -0.19, -pole - 1.05, 0.19, -pole, 0.07, paint(one(rng, [(0.07, 0.08, 0.08), (0.12, 0.13, 0.12), (0.16, 0.17, 0.15)])))
    lit = rng.integers(3)
    lamps = [(0.95, 0.12, 0.1), (1.0, 0.72, 0.1), (0.15, 0.9, 0.4)]
    for i, lamp in enumerate(lamps):
        y = -pole - 0.88 + i * 0.34
        canvas.drawCircle(0, y, 0.125, paint(lamp if i == lit else shade(lamp, 0.22)))
        if i == lit:
            canvas.drawCircle(0, y, 0.22, paint(lamp, 0.25))
    return 0.42, pole + 1.08


def traffic_sign(canvas, rng, colour, step=None, trait=None, second=None):
    pole, size, kind = rng.uniform(0.8, 2.0), rng.uniform(0.32, 0.40), rng.integers(4)
    rounded(canvas, -0.035, -pole, 0.035, 0, 0.01, paint((0.55, 0.56, 0.58)))
    y = -pole - size * 0.8
    rim = (0.97, 0.97, 0.97) if sum(colour) < 2.4 else (0.15, 0.15, 0.15)
    corners = {0: 8, 1: 4, 2: 3, 3: 0}[int(kind)]
    for radius, fill in ((size, paint(rim)), (size * 0.87, paint(colour))):
        if corners == 0:
            canvas.drawCircle(0, y, radius, fill)
        else:
            turn = {8: math.pi / 8, 4: rng.integers(2) * math.pi / 4, 3: -math.pi / 2}[corners]
            if radius == size:
                kept = turn
            poly(canvas, [(radius * math.cos(kept + 2 * math.pi * i / corners), y + radius * math.sin(kept + 2 * math.pi * i / corners)) for i in range(corners)], fill, 0.02)
    symbol = rng.integers(3)
    if symbol == 0:
        rounded(canvas, -size * 0.5, y - 0.06, size * 0.5, y + 0.06, 0.01, paint(rim))
    elif symbol == 1:
        line(canvas, [(0, y + size * 0.4), (0, y - size * 0.35)], rim, 0.07)
        line(canvas, [(-size * 0.25, y - size * 0.1), (0, y - size * 0.4), (size * 0.25, y - size * 0.1)], rim, 0.07)
    return 2 * size, pole + size * 1.8


def bench(canvas, rng, colour, step=None, trait=None, second=None):
    half = rng.uniform(0.75, 1.0)
    for x in (-half + 0.15, half - 0.15):
        line(canvas, [(x, 0), (x, -0.45), (x - 0.02, -0.88)], (0.2, 0.2, 0.21), 0.06)
    for y in (-0.88, -0.76, -0.64):
        rounded(canvas, -half, y, half, y + 0.085, 0.02, lit(colour, y, y + 0.1))
    rounded(canvas, -half, -0.50, half, -0.38, 0.03, lit(shade(colour, 0.92), -0.5, -0.38))
    return 2 * half, 0.88


def trash_can(canvas, rng, colour, step=None, trait=None, second=None):
    width, height = {
        "small": (rng.uniform(0.26, 0.30), rng.uniform(0.44, 0.54)), "large": (rng.uniform(0.62, 0.78), rng.uniform(1.15, 1.4)),
    }.get(trait, (rng.uniform(0.26, 0.33), rng.uniform(0.85, 1.1)))
    poly(canvas, [(-width * 0.82, 0), (width * 0.82, 0), (width, -height + 0.1), (-width, -height + 0.1)], lit(colour, -height, 0), 0.04)
    for x in (-0.5, 0.0, 0.5):
        line(canvas, [(x * width * 0.9, -0.1), (x * width * 1.05, -height + 0.25)], shade(colour, 0.7), 0.03)
    rounded(canvas, -width * 1.12, -height, width * 1.12, -height + 0.13, 0.05, paint(shade(colour, 0.8)))
    rounded(canvas, -width * 0.3, -height - 0.05, width * 0.3, -height, 0.02, paint(shade(colour, 0.6)))
    canvas.drawCircle(-width * 0.7, -0.06, 0.07, paint(TYRE))
    return width * 2.24, height + 0.05


def traffic_cone(canvas, rng, colour, step=None, trait=None, second=None):
    height, width = rng.uniform(0.6, 0.8), rng.uniform(0.19, 0.24)
    rounded(canvas, -width * 1.3, -0.07, width * 1.3, 0, 0.02, paint(shade(colour, 0.75)))
    poly(canvas, [(-width, -0.06), (width, -0.06), (0.045, -height), (-0.045, -height)], lit(colour, -height, 0), 0.01)
    stripe = (0.95, 0.95, 0.95) if sum(colour) < 2.5 else (0.9, 0.45, 0.1)
    for low, high in ((0.32, 0.48), (0.62, 0.74)):
        at = lambda f: width + (0.045 - width) * f
        poly(canvas, [(-at(low), -height * low), (at(low), -height * low), (at(high), -height * high), (-at(high), -height * high)], paint(stripe))
    return width * 2.6, height


def fire_hydrant(canvas, rng, colour, step=None, trait=None, second=None):
    height = rng.uniform(0.72, 0.85)
    rounded(canvas, -0.19, -0.08, 0.19, 0, 0.02, paint(shade(colour, 0.75)))
    rounded(canvas, -0.13, -height + 0.12, 0.13, -0.05, 0.02, lit(colour, -height, 0))
    for x0, x1 in ((-0.24, -0.11), (0.11, 0.24)):
        rounded(canvas, x0, -height * 0.66, x1, -height * 0.48, 0.02, paint(shade(colour, 0.8)))
    canvas.drawCircle(0, -height * 0.57, 0.085, paint(shade(colour, 0.65)))
    canvas.drawOval(skia.Rect.MakeLTRB(-0.15, -height + 0.02, 0.15, -height + 0.24), lit(shade(colour, 1.05), -height, -height + 0.2))
    rounded(canvas, -0.17, -height + 0.13, 0.17, -height + 0.19, 0.02, paint(shade(colour, 0.7)))
    rounded(canvas, -0.04, -height, 0.04, -height + 0.05, 0.01, paint(shade(colour, 0.6)))
    return 0.48, height
