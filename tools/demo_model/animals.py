"""Animals."""

import math

import skia

from palette import paint, shade
from shapes import line, lit, poly, rounded


def _animal(canvas, rng, colour, length, leg, body, step):
    """Legs and trunk; returns the chest and rump points."""
    step = rng.uniform() if step is None else step
    for i, x in enumerate((-length / 2 + 0.06, -length / 2 + 0.12, length / 2 - 0.12, length / 2 - 0.05)):
        swing = 0.35 * leg * math.sin(2 * math.pi * step + i * math.pi * 0.9)
        line(canvas, [(x, -leg), (x + swing * 0.4, -leg * 0.5), (x + swing, -0.02)], shade(colour, 0.75 if i % 2 else 0.95), body * 0.30)
    fill = lit(colour, -leg - body, -leg + 0.02)
    rounded(canvas, -length / 2, -leg - body, length / 2, -leg + body * 0.18, body * 0.5, fill)
    return (length / 2, -leg - body * 0.7), (-length / 2, -leg - body * 0.75)


def dog(canvas, rng, colour, step=None, trait=None, second=None):
    length, leg, body = rng.uniform(0.62, 0.80), rng.uniform(0.24, 0.34), rng.uniform(0.22, 0.28)
    if trait == "small":
        leg, body = rng.uniform(0.10, 0.14), rng.uniform(0.19, 0.23)
    elif trait == "large":
        length, leg, body = rng.uniform(0.82, 0.95), rng.uniform(0.44, 0.54), rng.uniform(0.26, 0.32)
    chest, rump = _animal(canvas, rng, colour, length, leg, body, step)
    line(canvas, [rump, (rump[0] - 0.12, rump[1] - 0.14), (rump[0] - 0.10, rump[1] - 0.26)], colour, 0.06)
    head = (chest[0] + 0.10, chest[1] - 0.16)
    line(canvas, [(chest[0] - 0.06, chest[1] + 0.02), head], colour, 0.17)
    canvas.drawOval(skia.Rect.MakeXYWH(head[0] - 0.13, head[1] - 0.12, 0.27, 0.22), lit(colour, head[1] - 0.12, head[1] + 0.1))
    rounded(canvas, head[0] + 0.06, head[1] - 0.04, head[0] + 0.26, head[1] + 0.09, 0.05, paint(shade(colour, 0.88)))
    canvas.drawCircle(head[0] + 0.25, head[1] - 0.01, 0.032, paint((0.05, 0.05, 0.05)))
    poly(canvas, [(head[0] - 0.12, head[1] - 0.11), (head[0] - 0.01, head[1] - 0.10), (head[0] - 0.10, head[1] + 0.13)], paint(shade(colour, 0.55)), 0.04)
    canvas.drawCircle(head[0] + 0.05, head[1] - 0.04, 0.02, paint((0.02, 0.02, 0.02)))
    return length + 0.62, leg + body * 0.7 + 0.30


def cat(canvas, rng, colour, step=None, trait=None, second=None):
    length, leg, body = rng.uniform(0.36, 0.44), rng.uniform(0.12, 0.16), rng.uniform(0.14, 0.17)
    chest, rump = _animal(canvas, rng, colour, length, leg, body, step)
    lift = rng.uniform(0.12, 0.24)
    tail = skia.Path()
    tail.moveTo(*rump)
    tail.cubicTo(rump[0] - 0.14, rump[1], rump[0] - 0.06, rump[1] - lift, rump[0] - 0.18, rump[1] - lift)
    canvas.drawPath(tail, paint(colour, stroke=0.045))
    x, y = chest[0] + 0.05, chest[1] - 0.05
    for dx in (-0.055, 0.055):
        poly(canvas, [(x + dx - 0.045, y - 0.05), (x + dx + (0.02 if dx > 0 else -0.02), y - 0.15), (x + dx + 0.045, y - 0.05)], paint(shade(colour, 0.9)))
    canvas.drawCircle(x, y, 0.105, lit(colour, y - 0.1, y + 0.1))
    for dx in (-0.035, 0.045):
        canvas.drawCircle(x + dx, y - 0.015, 0.02, paint((0.55, 0.75, 0.15)))
        canvas.drawCircle(x + dx, y - 0.015, 0.009, paint((0, 0, 0)))
    canvas.drawCircle(x + 0.01, y + 0.03, 0.013, paint((0.85, 0.45, 0.5)))
    return length + 0.40, leg + body * 0.7 + 0.20


def bird(canvas, rng, colour, step=None, trait=None, second=None):
    for x in (-0.01, 0.03):
        line(canvas, [(x, -0.10), (x + 0.01, -0.01), (x + 0.05, -0.01)], (0.85, 0.5, 0.15), 0.014)
    poly(canvas, [(-0.10, -0.16), (-0.27, -0.10), (-0.26, -0.17), (-0.08, -0.22)], paint(shade(colour, 0.75)), 0.01)
    canvas.drawOval(skia.Rect.MakeXYWH(-0.14, -0.26, 0.28, 0.18), lit(colour, -0.26, -0.08))
    canvas.drawCircle(0.12, -0.29, 0.075, paint(shade(colour, 1.05)))
    poly(canvas, [(0.18, -0.32), (0.27, -0.285), (0.18, -0.26)], paint((0.95, 0.6, 0.1)))
    canvas.drawCircle(0.14, -0.305, 0.015, paint((0.02, 0.02, 0.02)))
    lift = rng.uniform(0, 1) if step is None else abs(math.sin(math.pi * step * 2))
    poly(canvas, [(0.06, -0.22), (-0.17, -0.15 - 0.14 * lift), (-0.08, -0.24 - 0.10 * lift)], paint(shade(colour, 0.68)), 0.02)
    return 0.56, 0.37
