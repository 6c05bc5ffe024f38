"""People, and what they ride."""

import math

import numpy as np
import skia

from palette import paint, sample, shade
from shapes import DARK, SKIN, TYRE, line, lit, one, poly, rounded


def _torso(canvas, rng, colour, hip, lean, skin, scale=1.0):
    """A jacket, an arm and a head above the hip; returns the height of the crown."""
    hx, hy = hip
    sx, sy = hx + lean, hy - 0.58 * scale
    width = 0.21 * scale * rng.uniform(0.9, 1.25)
    poly(canvas, [(hx - width, hy + 0.08), (hx + width, hy + 0.08), (sx + width * 0.95, sy), (sx - width * 0.95, sy)],
          lit(colour, sy, hy), smooth=0.12)
    head = (sx + lean * 0.25, sy - 0.17 * scale)
    canvas.drawCircle(*head, 0.125 * scale, paint(skin))
    hair = one(rng, [(0.1, 0.08, 0.06), (0.3, 0.2, 0.1), (0.75, 0.62, 0.35), (0.5, 0.5, 0.5), (0.2, 0.12, 0.08)])
    path = skia.Path()
    path.addArc(skia.Rect.MakeXYWH(head[0] - 0.135 * scale, head[1] - 0.145 * scale, 0.27 * scale, 0.26 * scale), 170, 200)
    canvas.drawPath(path, paint(hair))
    return (sx, sy), head[1] - 0.14 * scale


def _umbrella(canvas, rng, colour, hand, top):
    """An umbrella above a head at `top`, held by a hand; returns the height of its tip."""
    across, rise = rng.uniform(0.46, 0.62), rng.uniform(0.26, 0.36)
    x, y = hand[0] * 0.5, top - rng.uniform(0.02, 0.16)
    line(canvas, [hand, (x, y - rise)], (0.15, 0.15, 0.16), 0.035)
    dome = skia.Path()
    dome.moveTo(x - across, y)
    dome.cubicTo(x - across * 0.8, y - rise * 1.25, x + across * 0.8, y - rise * 1.25, x + across, y)
    for i in range(4):
        right = x + across * (1 - 0.5 * i)
        dome.quadTo(right - across * 0.25, y - 0.09, right - across * 0.5, y)
    canvas.drawPath(dome, lit(colour, y - rise, y))
    for bend in (-0.5, 0.0, 0.5):
        line(canvas, [(x, y - rise * 0.92), (x + bend * across, y - 0.03)], shade(colour, 0.75), 0.015)
    line(canvas, [(x, y - rise * 0.9), (x, y - rise - 0.07)], (0.15, 0.15, 0.16), 0.03)
    return across, y - rise - 0.07


def _backpack(canvas, rng, colour, shoulder, hip):
    wide, tall = rng.uniform(0.24, 0.32), rng.uniform(0.44, 0.56)
    x, y = shoulder[0] - 0.16, shoulder[1] + 0.02
    rounded(canvas, x - wide, y, x + 0.02, y + tall, 0.09, lit(colour, y, y + tall))
    rounded(canvas, x - wide - 0.05, y + tall * 0.48, x - wide * 0.4, y + tall * 0.92, 0.05, paint(shade(colour, 0.8)))
    line(canvas, [(shoulder[0] - 0.1, shoulder[1] + 0.02), (shoulder[0] + 0.09, shoulder[1] + 0.2), (hip[0] - 0.05, hip[1] - 0.1)], shade(colour, 0.65), 0.05)


def person(canvas, rng, colour, step=None, trait=None, second=None):
    if trait == "lying":
        canvas.save()
        canvas.translate(0.86, -0.24)
        canvas.rotate(-90)
        person(canvas, rng, colour, step)
        canvas.restore()
        return 1.84, 0.56
    step = rng.uniform() if step is None else step
    stride = rng.uniform(0.05, 0.30) * math.sin(2 * math.pi * step)
    trousers, skin = one(rng, DARK), one(rng, SKIN)
    hip = -0.88
    for foot, tone in ((stride, 0.8), (-stride, 1.0)):
        knee = (foot * 0.6 + 0.04, hip / 2)
        line(canvas, [(0, hip), knee, (foot, -0.06)], shade(trousers, tone), 0.17)
        line(canvas, [(foot, -0.04), (foot + 0.12, -0.04)], (0.1, 0.08, 0.08), 0.09)
    swing = stride * 0.9
    line(canvas, [(0, hip - 0.5), (-swing * 0.7, hip - 0.22), (-swing, hip + 0.02)], shade(colour, 0.7), 0.12)
    shoulder, top = _torso(canvas, rng, colour, (0, hip), rng.uniform(-0.02, 0.05), skin)
    if trait == "backpack":
        _backpack(canvas, rng, second, shoulder, (0, hip))
    hand = (swing + 0.03, hip)
    if trait == "umbrella":
        hand = (0.30, hip - 0.34)
        line(canvas, [shoulder, (0.26, hip - 0.2), hand], shade(colour, 0.85), 0.12)
    else:
        line(canvas, [shoulder, (swing * 0.7, hip - 0.24), hand], shade(colour, 0.85), 0.12)
    canvas.drawCircle(hand[0], hand[1] + 0.03, 0.06, paint(skin))
    width = 0.62 + 2 * abs(stride) * 0.5
    if trait == "umbrella":
        across, top = _umbrella(canvas, rng, second, hand, top)
        width = max(width, 2 * across + 0.2)
    return width + (0.24 if trait == "backpack" else 0), -top


def _bike(canvas, rng, colour, radius=0.34, base=1.05, thick=0.085):
    rear, front = (-base / 2, -radius), (base / 2, -radius)
    for hub in (rear, front):
        canvas.drawCircle(*hub, radius - 0.03, paint(TYRE, stroke=0.06))
        for angle in np.arange(0, math.pi, math.pi / 5) + rng.uniform(0, 1):
            dx, dy = math.cos(angle) * (radius - 0.05), math.sin(angle) * (radius - 0.05)
            line(canvas, [(hub[0] - dx, hub[1] - dy), (hub[0] + dx, hub[1] + dy)], (0.6, 0.6, 0.62), 0.012)
    crank, seat, bar = (-0.06, -radius + 0.02), (-0.20, -0.82), (base / 2 - 0.16, -0.86)
    for tube in ([rear, crank, seat, rear], [seat, bar, crank], [bar, front]):
        line(canvas, tube, colour, thick)
    line(canvas, [seat, (seat[0] - 0.03, -0.93)], (0.3, 0.3, 0.3), 0.04)
    line(canvas, [(seat[0] - 0.15, -0.95), (seat[0] + 0.11, -0.94)], (0.08, 0.07, 0.07), 0.075)
    line(canvas, [bar, (bar[0] - 0.01, -1.0), (bar[0] + 0.13, -1.03)], (0.15, 0.15, 0.15), 0.05)
    canvas.drawCircle(*crank, 0.09, paint((0.2, 0.2, 0.2), stroke=0.035))
    return crank, seat, bar


def bicycle(canvas, rng, colour, step=None, trait=None, second=None):
    if trait == "lying":
        canvas.save()
        canvas.translate(rng.uniform(-0.05, 0.05), -0.05)
        canvas.skew(rng.uniform(-0.9, -0.4), 0)
        canvas.scale(1, rng.uniform(0.34, 0.48))
        bicycle(canvas, rng, colour)
        canvas.restore()
        return 2.2, 0.52
    base = rng.uniform(0.98, 1.12)
    _bike(canvas, rng, colour, rng.uniform(0.31, 0.36), base, rng.uniform(0.075, 0.11))
    return base + 0.68, 1.05


def cyclist(canvas, rng, colour, step=None, trait=None, second=None):
    step = rng.uniform() if step is None else step
    jacket, skin, trousers = sample(rng, one(rng, ["grey", "black", "white", "blue", "red", "green", "yellow"])), one(rng, SKIN), one(rng, DARK)
    crank, seat, bar = _bike(canvas, rng, colour, rng.uniform(0.31, 0.36), 1.05, rng.uniform(0.08, 0.12))
    for turn, tone in ((0.0, 0.8), (math.pi, 1.0)):
        angle = 2 * math.pi * step + turn
        foot = (crank[0] + 0.16 * math.cos(angle), crank[1] + 0.16 * math.sin(angle))
        knee = ((seat[0] + foot[0]) / 2 + 0.22, (seat[1] + foot[1]) / 2 - 0.12)
        line(canvas, [(seat[0], -0.98), knee, foot], shade(trousers, tone), 0.14)
    shoulder, top = _torso(canvas, rng, jacket, (seat[0], -1.0), rng.uniform(0.14, 0.30), skin, 0.92)
    line(canvas, [shoulder, (bar[0] - 0.08, -1.14), (bar[0] + 0.08, -1.03)], shade(jacket, 0.85), 0.10)
    return 1.73, -top


def motorcycle(canvas, rng, colour, step=None, trait=None, second=None):
    base, radius = rng.uniform(1.3, 1.5), rng.uniform(0.29, 0.34)
    jacket, skin = sample(rng, one(rng, ["grey", "black", "white", "blue", "red", "green", "yellow"])), one(rng, SKIN)
    if trait == "ridden":
        line(canvas, [(-0.25, -0.8), (0.12, -0.62), (0.0, -0.3)], one(rng, DARK), 0.16)
    for x in (-base / 2, base / 2):
        canvas.drawCircle(x, -radius, radius - 0.055, paint(TYRE, stroke=0.12))
        canvas.drawCircle(x, -radius, radius * 0.42, paint((0.6, 0.6, 0.62)))
    line(canvas, [(base / 2, -radius), (base / 2 - 0.22, -0.92)], (0.62, 0.63, 0.66), 0.07)
    rounded(canvas, -0.26, -0.58, 0.26, -0.20, 0.08, paint((0.25, 0.25, 0.27)))
    line(canvas, [(-0.1, -0.22), (-base / 2 - 0.18, -0.26)], (0.7, 0.7, 0.72), 0.09)
    poly(canvas, [(-0.12, -0.60), (0.08, -0.88), (0.40, -0.86), (0.42, -0.58), (0.2, -0.48)], lit(colour, -0.9, -0.45), 0.08)
    poly(canvas, [(-base / 2 - 0.12, -0.78), (-0.30, -0.62), (-0.1, -0.56), (-0.35, -0.46), (-base / 2 + 0.1, -0.58)], lit(colour, -0.8, -0.45), 0.06)
    poly(canvas, [(-0.72, -0.84), (-0.05, -0.72), (-0.05, -0.62), (-0.6, -0.70)], paint((0.08, 0.08, 0.08)), 0.05)
    poly(canvas, [(base / 2 - 0.32, -0.70), (base / 2 - 0.18, -1.0), (base / 2 - 0.02, -0.80), (base / 2 - 0.08, -0.62)], lit(colour, -1.0, -0.6), 0.05)
    line(canvas, [(base / 2 - 0.25, -1.0), (base / 2 - 0.42, -1.04)], (0.1, 0.1, 0.1), 0.05)
    canvas.drawCircle(base / 2 - 0.05, -0.80, 0.075, paint((0.98, 0.96, 0.8)))
    path = skia.Path()
    path.addArc(skia.Rect.MakeXYWH(base / 2 - radius - 0.03, -2 * radius - 0.03, 2 * radius + 0.06, 2 * radius + 0.06), 200, 110)
    canvas.drawPath(path, paint(colour, stroke=0.06))
    if trait != "ridden":
        return base + 2 * radius, 1.08
    line(canvas, [(-0.25, -0.8), (0.16, -0.66), (0.02, -0.26)], one(rng, DARK), 0.16)
    shoulder, top = _torso(canvas, rng, jacket, (-0.28, -0.82), rng.uniform(0.1, 0.26), skin, 0.95)
    line(canvas, [shoulder, (0.12, -1.06), (base / 2 - 0.36, -1.03)], shade(jacket, 0.85), 0.11)
    helmet = (shoulder[0] + 0.06, top + 0.13)
    canvas.drawCircle(*helmet, 0.155, paint(shade(jacket, rng.uniform(0.3, 0.9))))
    line(canvas, [(helmet[0] + 0.06, helmet[1] + 0.01), (helmet[0] + 0.14, helmet[1] + 0.02)], (0.1, 0.1, 0.12), 0.07)
    return base + 2 * radius, -top + 0.04
