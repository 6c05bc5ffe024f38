"""Things: each noun of the world, drawn in metres with its feet at y = 0, y pointing down, facing right.

A drawer takes (canvas, rng, colour) and returns (width, height) in metres of the box from (-width/2, -height) to
(width/2, 0). `step` in 0..1 is the phase of walking or rolling, for the clip.
"""

import math

import numpy as np
import skia

from palette import paint, sample, shade

NOUNS = [
    "person", "cyclist", "bicycle", "motorcycle", "car", "van", "bus", "truck", "dog", "cat", "bird",
    "traffic light", "traffic sign", "bench", "trash can", "traffic cone", "fire hydrant",
]
COLOURLESS = {"traffic light"}

SKIN = [(0.95, 0.80, 0.69), (0.82, 0.62, 0.48), (0.55, 0.38, 0.26), (0.36, 0.24, 0.17)]
DARK = [(0.12, 0.12, 0.16), (0.20, 0.22, 0.32), (0.25, 0.20, 0.16), (0.33, 0.33, 0.36), (0.10, 0.14, 0.28)]
GLASS = (0.62, 0.76, 0.84)
TYRE = (0.09, 0.09, 0.10)


def _one(rng, options):
    return options[rng.integers(len(options))]


def _body(colour, top, bottom):
    """A fill that is lit from above."""
    fill = paint(colour)
    ends = [skia.Color4f(*shade(colour, 1.12), 1).toColor(), skia.Color4f(*shade(colour, 0.80), 1).toColor()]
    fill.setShader(skia.GradientShader.MakeLinear([skia.Point(0, top), skia.Point(0, bottom)], ends))
    return fill


def _poly(canvas, points, fill, smooth=0.0):
    path = skia.Path()
    path.addPoly([skia.Point(*p) for p in points], True)
    if smooth:
        fill = skia.Paint(fill)
        fill.setPathEffect(skia.CornerPathEffect.Make(smooth))
    canvas.drawPath(path, fill)


def _line(canvas, points, colour, width):
    path = skia.Path()
    path.addPoly([skia.Point(*p) for p in points], False)
    canvas.drawPath(path, paint(colour, stroke=width))


def _round(canvas, x0, y0, x1, y1, radius, fill):
    canvas.drawRoundRect(skia.Rect.MakeLTRB(x0, y0, x1, y1), radius, radius, fill)


def _wheel(canvas, x, radius, hub=(0.55, 0.56, 0.58)):
    canvas.drawCircle(x, -radius, radius, paint(TYRE))
    canvas.drawCircle(x, -radius, radius * 0.55, paint(hub))
    canvas.drawCircle(x, -radius, radius * 0.2, paint(shade(hub, 0.5)))


def _torso(canvas, rng, colour, hip, lean, skin, scale=1.0):
    """A jacket, an arm and a head above the hip; returns the height of the crown."""
    hx, hy = hip
    sx, sy = hx + lean, hy - 0.58 * scale
    width = 0.21 * scale * rng.uniform(0.9, 1.25)
    _poly(canvas, [(hx - width, hy + 0.08), (hx + width, hy + 0.08), (sx + width * 0.95, sy), (sx - width * 0.95, sy)],
          _body(colour, sy, hy), smooth=0.12)
    head = (sx + lean * 0.25, sy - 0.17 * scale)
    canvas.drawCircle(*head, 0.125 * scale, paint(skin))
    hair = _one(rng, [(0.1, 0.08, 0.06), (0.3, 0.2, 0.1), (0.75, 0.62, 0.35), (0.5, 0.5, 0.5), (0.2, 0.12, 0.08)])
    path = skia.Path()
    path.addArc(skia.Rect.MakeXYWH(head[0] - 0.135 * scale, head[1] - 0.145 * scale, 0.27 * scale, 0.26 * scale), 170, 200)
    canvas.drawPath(path, paint(hair))
    return (sx, sy), head[1] - 0.14 * scale


def person(canvas, rng, colour, step=None):
    step = rng.uniform() if step is None else step
    stride = rng.uniform(0.05, 0.30) * math.sin(2 * math.pi * step)
    trousers, skin = _one(rng, DARK), _one(rng, SKIN)
    hip = -0.88
    for foot, tone in ((stride, 0.8), (-stride, 1.0)):
        knee = (foot * 0.6 + 0.04, hip / 2)
        _line(canvas, [(0, hip), knee, (foot, -0.06)], shade(trousers, tone), 0.17)
        _line(canvas, [(foot, -0.04), (foot + 0.12, -0.04)], (0.1, 0.08, 0.08), 0.09)
    swing = stride * 0.9
    _line(canvas, [(0, hip - 0.5), (-swing * 0.7, hip - 0.22), (-swing, hip + 0.02)], shade(colour, 0.7), 0.12)
    shoulder, top = _torso(canvas, rng, colour, (0, hip), rng.uniform(-0.02, 0.05), skin)
    _line(canvas, [shoulder, (swing * 0.7, hip - 0.24), (swing + 0.03, hip)], shade(colour, 0.85), 0.12)
    canvas.drawCircle(swing + 0.03, hip + 0.03, 0.06, paint(skin))
    return 0.62 + 2 * abs(stride) * 0.5, -top


def _bike(canvas, rng, colour, radius=0.34, base=1.05, thick=0.085):
    rear, front = (-base / 2, -radius), (base / 2, -radius)
    for hub in (rear, front):
        canvas.drawCircle(*hub, radius - 0.03, paint(TYRE, stroke=0.06))
        for angle in np.arange(0, math.pi, math.pi / 5) + rng.uniform(0, 1):
            dx, dy = math.cos(angle) * (radius - 0.05), math.sin(angle) * (radius - 0.05)
            _line(canvas, [(hub[0] - dx, hub[1] - dy), (hub[0] + dx, hub[1] + dy)], (0.6, 0.6, 0.62), 0.012)
    crank, seat, bar = (-0.06, -radius + 0.02), (-0.20, -0.82), (base / 2 - 0.16, -0.86)
    for tube in ([rear, crank, seat, rear], [seat, bar, crank], [bar, front]):
        _line(canvas, tube, colour, thick)
    _line(canvas, [seat, (seat[0] - 0.03, -0.93)], (0.3, 0.3, 0.3), 0.04)
    _line(canvas, [(seat[0] - 0.15, -0.95), (seat[0] + 0.11, -0.94)], (0.08, 0.07, 0.07), 0.075)
    _line(canvas, [bar, (bar[0] - 0.01, -1.0), (bar[0] + 0.13, -1.03)], (0.15, 0.15, 0.15), 0.05)
    canvas.drawCircle(*crank, 0.09, paint((0.2, 0.2, 0.2), stroke=0.035))
    return crank, seat, bar


def bicycle(canvas, rng, colour, step=None):
    base = rng.uniform(0.98, 1.12)
    _bike(canvas, rng, colour, rng.uniform(0.31, 0.36), base, rng.uniform(0.075, 0.11))
    return base + 0.68, 1.05


def cyclist(canvas, rng, colour, step=None):
    step = rng.uniform() if step is None else step
    jacket, skin, trousers = sample(rng, _one(rng, ["grey", "black", "white", "blue", "red", "green", "yellow"])), _one(rng, SKIN), _one(rng, DARK)
    crank, seat, bar = _bike(canvas, rng, colour, rng.uniform(0.31, 0.36), 1.05, rng.uniform(0.08, 0.12))
    for turn, tone in ((0.0, 0.8), (math.pi, 1.0)):
        angle = 2 * math.pi * step + turn
        foot = (crank[0] + 0.16 * math.cos(angle), crank[1] + 0.16 * math.sin(angle))
        knee = ((seat[0] + foot[0]) / 2 + 0.22, (seat[1] + foot[1]) / 2 - 0.12)
        _line(canvas, [(seat[0], -0.98), knee, foot], shade(trousers, tone), 0.14)
    shoulder, top = _torso(canvas, rng, jacket, (seat[0], -1.0), rng.uniform(0.14, 0.30), skin, 0.92)
    _line(canvas, [shoulder, (bar[0] - 0.08, -1.14), (bar[0] + 0.08, -1.03)], shade(jacket, 0.85), 0.10)
    return 1.73, -top


def motorcycle(canvas, rng, colour, step=None):
    base, radius = rng.uniform(1.3, 1.5), rng.uniform(0.29, 0.34)
    for x in (-base / 2, base / 2):
        canvas.drawCircle(x, -radius, radius - 0.055, paint(TYRE, stroke=0.12))
        canvas.drawCircle(x, -radius, radius * 0.42, paint((0.6, 0.6, 0.62)))
    _line(canvas, [(base / 2, -radius), (base / 2 - 0.22, -0.92)], (0.62, 0.63, 0.66), 0.07)
    _round(canvas, -0.26, -0.58, 0.26, -0.20, 0.08, paint((0.25, 0.25, 0.27)))
    _line(canvas, [(-0.1, -0.22), (-base / 2 - 0.18, -0.26)], (0.7, 0.7, 0.72), 0.09)
    _poly(canvas, [(-0.12, -0.60), (0.08, -0.88), (0.40, -0.86), (0.42, -0.58), (0.2, -0.48)], _body(colour, -0.9, -0.45), 0.08)
    _poly(canvas, [(-base / 2 - 0.12, -0.78), (-0.30, -0.62), (-0.1, -0.56), (-0.35, -0.46), (-base / 2 + 0.1, -0.58)], _body(colour, -0.8, -0.45), 0.06)
    _poly(canvas, [(-0.72, -0.84), (-0.05, -0.72), (-0.05, -0.62), (-0.6, -0.70)], paint((0.08, 0.08, 0.08)), 0.05)
    _poly(canvas, [(base / 2 - 0.32, -0.70), (base / 2 - 0.18, -1.0), (base / 2 - 0.02, -0.80), (base / 2 - 0.08, -0.62)], _body(colour, -1.0, -0.6), 0.05)
    _line(canvas, [(base / 2 - 0.25, -1.0), (base / 2 - 0.42, -1.04)], (0.1, 0.1, 0.1), 0.05)
    canvas.drawCircle(base / 2 - 0.05, -0.80, 0.075, paint((0.98, 0.96, 0.8)))
    path = skia.Path()
    path.addArc(skia.Rect.MakeXYWH(base / 2 - radius - 0.03, -2 * radius - 0.03, 2 * radius + 0.06, 2 * radius + 0.06), 200, 110)
    canvas.drawPath(path, paint(colour, stroke=0.06))
    return base + 2 * radius, 1.08


def car(canvas, rng, colour, step=None):
    length, height = rng.uniform(3.9, 4.7), rng.uniform(1.36, 1.55)
    half, hood = length / 2, -rng.uniform(0.85, 0.98)
    front, back, tail = rng.uniform(0.16, 0.24) * length, -rng.uniform(0.26, 0.36) * length, rng.uniform(-0.05, 0.15)
    _poly(canvas, [(back - 0.35, hood), (back + 0.25, -height), (front - 0.55, -height), (front + 0.25, hood)], _body(shade(colour, 0.95), -height, hood), 0.15)
    _poly(canvas, [(-half, -0.28), (-half, hood + 0.1 - tail), (-half + 0.25, hood), (half - 0.9, hood), (half - 0.06, hood + 0.24), (half, -0.28)], _body(colour, hood, -0.2), 0.16)
    gap = (back + front) / 2 - 0.1
    _poly(canvas, [(back - 0.12, hood), (back + 0.30, -height + 0.11), (gap - 0.04, -height + 0.11), (gap - 0.04, hood)], paint(shade(GLASS, rng.uniform(0.45, 0.9))), 0.04)
    _poly(canvas, [(gap + 0.04, hood), (gap + 0.04, -height + 0.11), (front - 0.62, -height + 0.11), (front + 0.05, hood)], paint(shade(GLASS, rng.uniform(0.45, 0.9))), 0.04)
    _line(canvas, [(gap, hood), (gap, -0.35)], shade(colour, 0.6), 0.025)
    _line(canvas, [(-half + 0.1, -0.36), (half - 0.1, -0.36)], shade(colour, 0.55), 0.07)
    for x in (-half + 0.78, half - 0.82):
        canvas.drawCircle(x, -0.33, 0.39, paint((0.06, 0.06, 0.07)))
        _wheel(canvas, x, 0.32)
    _round(canvas, half - 0.22, hood + 0.26, half - 0.02, hood + 0.40, 0.04, paint((0.98, 0.97, 0.85)))
    _round(canvas, -half + 0.01, hood + 0.2, -half + 0.14, hood + 0.40, 0.04, paint((0.75, 0.08, 0.08)))
    return length, height


def van(canvas, rng, colour, step=None):
    length, height = rng.uniform(4.7, 5.4), rng.uniform(2.1, 2.5)
    half = length / 2
    _poly(canvas, [(-half, -0.3), (-half, -height), (half - 1.35, -height), (half - 0.72, -1.18), (half - 0.06, -0.98), (half, -0.3)], _body(colour, -height, -0.2), 0.16)
    _poly(canvas, [(half - 1.95, -1.15), (half - 1.95, -height + 0.22), (half - 1.42, -height + 0.22), (half - 0.88, -1.15)], paint(shade(GLASS, rng.uniform(0.4, 0.9))), 0.05)
    for x in (half - 2.1, -half + 1.2):
        _line(canvas, [(x, -height + 0.15), (x, -0.45)], shade(colour, 0.75), 0.025)
    if rng.uniform() < 0.3:
        _poly(canvas, [(-half + 0.4, -1.2), (-half + 0.4, -height + 0.25), (half - 2.3, -height + 0.25), (half - 2.3, -1.2)], paint(shade(GLASS, 0.6)), 0.05)
    _line(canvas, [(-half + 0.1, -0.38), (half - 0.1, -0.38)], shade(colour, 0.5), 0.08)
    for x in (-half + 0.95, half - 0.90):
        canvas.drawCircle(x, -0.36, 0.42, paint((0.06, 0.06, 0.07)))
        _wheel(canvas, x, 0.35)
    _round(canvas, half - 0.2, -0.92, half - 0.02, -0.72, 0.05, paint((0.98, 0.97, 0.85)))
    _round(canvas, -half + 0.02, -1.2, -half + 0.12, -0.8, 0.03, paint((0.75, 0.08, 0.08)))
    return length, height


def bus(canvas, rng, colour, step=None):
    length, height = rng.uniform(8.5, 11.5), rng.uniform(2.9, 3.2)
    half = length / 2
    _round(canvas, -half, -height, half, -0.32, 0.22, _body(colour, -height, -0.3))
    glass = shade(GLASS, rng.uniform(0.4, 0.85))
    count = int(rng.integers(5, 8))
    width = (length - 1.5) / count
    for i in range(count):
        x = -half + 0.25 + i * width
        _round(canvas, x, -height + 0.35, x + width - 0.14, -1.45, 0.06, paint(glass))
    _round(canvas, half - 1.05, -height + 0.35, half - 0.08, -0.45, 0.06, paint(shade(glass, 0.85)))
    _line(canvas, [(half - 0.56, -height + 0.4), (half - 0.56, -0.5)], shade(colour, 0.6), 0.05)
    _line(canvas, [(-half + 0.1, -1.2), (half - 1.2, -1.2)], shade(colour, 0.65), 0.07)
    for x in (-half + 2.0, half - 2.1):
        canvas.drawCircle(x, -0.46, 0.58, paint((0.06, 0.06, 0.07)))
        _wheel(canvas, x, 0.48)
    return length, height


def truck(canvas, rng, colour, step=None):
    length, height = rng.uniform(6.8, 8.5), rng.uniform(2.9, 3.4)
    half = length / 2
    box = sample(rng, _one(rng, ["white", "grey"])) if rng.uniform() < 0.35 else shade(colour, rng.uniform(0.85, 1.1))
    _round(canvas, -half, -height, half - 2.1, -0.85, 0.05, _body(box, -height, -0.8))
    for x in np.arange(-half + 0.7, half - 2.2, 0.8):
        _line(canvas, [(x, -height + 0.12), (x, -0.97)], shade(box, 0.85), 0.03)
    _round(canvas, -half, -0.88, half - 0.2, -0.62, 0.03, paint((0.16, 0.16, 0.18)))
    cab = -height * rng.uniform(0.74, 0.86)
    _poly(canvas, [(half - 1.95, -0.45), (half - 1.95, cab), (half - 0.55, cab), (half - 0.08, -1.45), (half, -0.45)], _body(colour, cab, -0.4), 0.14)
    _poly(canvas, [(half - 1.5, -1.4), (half - 1.5, cab + 0.25), (half - 0.62, cab + 0.25), (half - 0.22, -1.4)], paint(shade(GLASS, rng.uniform(0.4, 0.9))), 0.05)
    for x in (-half + 0.9, -half + 1.95, half - 1.0):
        _wheel(canvas, x, 0.47)
    return length, height


def _animal(canvas, rng, colour, length, leg, body, step):
    """Legs and trunk; returns the chest and rump points."""
    step = rng.uniform() if step is None else step
    for i, x in enumerate((-length / 2 + 0.06, -length / 2 + 0.12, length / 2 - 0.12, length / 2 - 0.05)):
        swing = 0.35 * leg * math.sin(2 * math.pi * step + i * math.pi * 0.9)
        _line(canvas, [(x, -leg), (x + swing * 0.4, -leg * 0.5), (x + swing, -0.02)], shade(colour, 0.75 if i % 2 else 0.95), body * 0.30)
    fill = _body(colour, -leg - body, -leg + 0.02)
    _round(canvas, -length / 2, -leg - body, length / 2, -leg + body * 0.18, body * 0.5, fill)
    return (length / 2, -leg - body * 0.7), (-length / 2, -leg - body * 0.75)


def dog(canvas, rng, colour, step=None):
    length, leg, body = rng.uniform(0.62, 0.80), rng.uniform(0.24, 0.34), rng.uniform(0.22, 0.28)
    chest, rump = _animal(canvas, rng, colour, length, leg, body, step)
    _line(canvas, [rump, (rump[0] - 0.12, rump[1] - 0.14), (rump[0] - 0.10, rump[1] - 0.26)], colour, 0.06)
    head = (chest[0] + 0.10, chest[1] - 0.16)
    _line(canvas, [(chest[0] - 0.06, chest[1] + 0.02), head], colour, 0.17)
    canvas.drawOval(skia.Rect.MakeXYWH(head[0] - 0.13, head[1] - 0.12, 0.27, 0.22), _body(colour, head[1] - 0.12, head[1] + 0.1))
    _round(canvas, head[0] + 0.06, head[1] - 0.04, head[0] + 0.26, head[1] + 0.09, 0.05, paint(shade(colour, 0.88)))
    canvas.drawCircle(head[0] + 0.25, head[1] - 0.01, 0.032, paint((0.05, 0.05, 0.05)))
    _poly(canvas, [(head[0] - 0.12, head[1] - 0.11), (head[0] - 0.01, head[1] - 0.10), (head[0] - 0.10, head[1] + 0.13)], paint(shade(colour, 0.55)), 0.04)
    canvas.drawCircle(head[0] + 0.05, head[1] - 0.04, 0.02, paint((0.02, 0.02, 0.02)))
    return length + 0.62, leg + body * 0.7 + 0.30


def cat(canvas, rng, colour, step=None):
    length, leg, body = rng.uniform(0.36, 0.44), rng.uniform(0.12, 0.16), rng.uniform(0.14, 0.17)
    chest, rump = _animal(canvas, rng, colour, length, leg, body, step)
    lift = rng.uniform(0.12, 0.24)
    tail = skia.Path()
    tail.moveTo(*rump)
    tail.cubicTo(rump[0] - 0.14, rump[1], rump[0] - 0.06, rump[1] - lift, rump[0] - 0.18, rump[1] - lift)
    canvas.drawPath(tail, paint(colour, stroke=0.045))
    x, y = chest[0] + 0.05, chest[1] - 0.05
    for dx in (-0.055, 0.055):
        _poly(canvas, [(x + dx - 0.045, y - 0.05), (x + dx + (0.02 if dx > 0 else -0.02), y - 0.15), (x + dx + 0.045, y - 0.05)], paint(shade(colour, 0.9)))
    canvas.drawCircle(x, y, 0.105, _body(colour, y - 0.1, y + 0.1))
    for dx in (-0.035, 0.045):
        canvas.drawCircle(x + dx, y - 0.015, 0.02, paint((0.55, 0.75, 0.15)))
        canvas.drawCircle(x + dx, y - 0.015, 0.009, paint((0, 0, 0)))
    canvas.drawCircle(x + 0.01, y + 0.03, 0.013, paint((0.85, 0.45, 0.5)))
    return length + 0.40, leg + body * 0.7 + 0.20


def bird(canvas, rng, colour, step=None):
    for x in (-0.01, 0.03):
        _line(canvas, [(x, -0.10), (x + 0.01, -0.01), (x + 0.05, -0.01)], (0.85, 0.5, 0.15), 0.014)
    _poly(canvas, [(-0.10, -0.16), (-0.27, -0.10), (-0.26, -0.17), (-0.08, -0.22)], paint(shade(colour, 0.75)), 0.01)
    canvas.drawOval(skia.Rect.MakeXYWH(-0.14, -0.26, 0.28, 0.18), _body(colour, -0.26, -0.08))
    canvas.drawCircle(0.12, -0.29, 0.075, paint(shade(colour, 1.05)))
    _poly(canvas, [(0.18, -0.32), (0.27, -0.285), (0.18, -0.26)], paint((0.95, 0.6, 0.1)))
    canvas.drawCircle(0.14, -0.305, 0.015, paint((0.02, 0.02, 0.02)))
    lift = rng.uniform(0, 1) if step is None else abs(math.sin(math.pi * step * 2))
    _poly(canvas, [(0.06, -0.22), (-0.17, -0.15 - 0.14 * lift), (-0.08, -0.24 - 0.10 * lift)], paint(shade(colour, 0.68)), 0.02)
    return 0.56, 0.37


def traffic_light(canvas, rng, colour, step=None):
    pole = rng.uniform(0.6, 2.0)
    _round(canvas, -0.05, -pole - 0.1, 0.05, 0, 0.01, paint((0.35, 0.36, 0.38)))
    _round(canvas, -0.19, -pole - 1.05, 0.19, -pole, 0.07, paint(_one(rng, [(0.07, 0.08, 0.08), (0.12, 0.13, 0.12), (0.16, 0.17, 0.15)])))
    lit = rng.integers(3)
    lamps = [(0.95, 0.12, 0.1), (1.0, 0.72, 0.1), (0.15, 0.9, 0.4)]
    for i, lamp in enumerate(lamps):
        y = -pole - 0.88 + i * 0.34
        canvas.drawCircle(0, y, 0.125, paint(lamp if i == lit else shade(lamp, 0.22)))
        if i == lit:
            canvas.drawCircle(0, y, 0.22, paint(lamp, 0.25))
    return 0.42, pole + 1.08


def traffic_sign(canvas, rng, colour, step=None):
    pole, size, kind = rng.uniform(0.8, 2.0), rng.uniform(0.32, 0.40), rng.integers(4)
    _round(canvas, -0.035, -pole, 0.035, 0, 0.01, paint((0.55, 0.56, 0.58)))
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
            _poly(canvas, [(radius * math.cos(kept + 2 * math.pi * i / corners), y + radius * math.sin(kept + 2 * math.pi * i / corners)) for i in range(corners)], fill, 0.02)
    symbol = rng.integers(3)
    if symbol == 0:
        _round(canvas, -size * 0.5, y - 0.06, size * 0.5, y + 0.06, 0.01, paint(rim))
    elif symbol == 1:
        _line(canvas, [(0, y + size * 0.4), (0, y - size * 0.35)], rim, 0.07)
        _line(canvas, [(-size * 0.25, y - size * 0.1), (0, y - size * 0.4), (size * 0.25, y - size * 0.1)], rim, 0.07)
    return 2 * size, pole + size * 1.8


def bench(canvas, rng, colour, step=None):
    half = rng.uniform(0.75, 1.0)
    for x in (-half + 0.15, half - 0.15):
        _line(canvas, [(x, 0), (x, -0.45), (x - 0.02, -0.88)], (0.2, 0.2, 0.21), 0.06)
    for y in (-0.88, -0.76, -0.64):
        _round(canvas, -half, y, half, y + 0.085, 0.02, _body(colour, y, y + 0.1))
    _round(canvas, -half, -0.50, half, -0.38, 0.03, _body(shade(colour, 0.92), -0.5, -0.38))
    return 2 * half, 0.88


def trash_can(canvas, rng, colour, step=None):
    width, height = rng.uniform(0.26, 0.33), rng.uniform(0.85, 1.1)
    _poly(canvas, [(-width * 0.82, 0), (width * 0.82, 0), (width, -height + 0.1), (-width, -height + 0.1)], _body(colour, -height, 0), 0.04)
    for x in (-0.5, 0.0, 0.5):
        _line(canvas, [(x * width * 0.9, -0.1), (x * width * 1.05, -height + 0.25)], shade(colour, 0.7), 0.03)
    _round(canvas, -width * 1.12, -height, width * 1.12, -height + 0.13, 0.05, paint(shade(colour, 0.8)))
    _round(canvas, -width * 0.3, -height - 0.05, width * 0.3, -height, 0.02, paint(shade(colour, 0.6)))
    canvas.drawCircle(-width * 0.7, -0.06, 0.07, paint(TYRE))
    return width * 2.24, height + 0.05


def traffic_cone(canvas, rng, colour, step=None):
    height, width = rng.uniform(0.6, 0.8), rng.uniform(0.19, 0.24)
    _round(canvas, -width * 1.3, -0.07, width * 1.3, 0, 0.02, paint(shade(colour, 0.75)))
    _poly(canvas, [(-width, -0.06), (width, -0.06), (0.045, -height), (-0.045, -height)], _body(colour, -height, 0), 0.01)
    stripe = (0.95, 0.95, 0.95) if sum(colour) < 2.5 else (0.9, 0.45, 0.1)
    for low, high in ((0.32, 0.48), (0.62, 0.74)):
        at = lambda f: width + (0.045 - width) * f
        _poly(canvas, [(-at(low), -height * low), (at(low), -height * low), (at(high), -height * high), (-at(high), -height * high)], paint(stripe))
    return width * 2.6, height


def fire_hydrant(canvas, rng, colour, step=None):
    height = rng.uniform(0.72, 0.85)
    _round(canvas, -0.19, -0.08, 0.19, 0, 0.02, paint(shade(colour, 0.75)))
    _round(canvas, -0.13, -height + 0.12, 0.13, -0.05, 0.02, _body(colour, -height, 0))
    for x0, x1 in ((-0.24, -0.11), (0.11, 0.24)):
        _round(canvas, x0, -height * 0.66, x1, -height * 0.48, 0.02, paint(shade(colour, 0.8)))
    canvas.drawCircle(0, -height * 0.57, 0.085, paint(shade(colour, 0.65)))
    canvas.drawOval(skia.Rect.MakeLTRB(-0.15, -height + 0.02, 0.15, -height + 0.24), _body(shade(colour, 1.05), -height, -height + 0.2))
    _round(canvas, -0.17, -height + 0.13, 0.17, -height + 0.19, 0.02, paint(shade(colour, 0.7)))
    _round(canvas, -0.04, -height, 0.04, -height + 0.05, 0.01, paint(shade(colour, 0.6)))
    return 0.48, height


DRAW = {
    "person": person, "cyclist": cyclist, "bicycle": bicycle, "motorcycle": motorcycle, "car": car, "van": van,
    "bus": bus, "truck": truck, "dog": dog, "cat": cat, "bird": bird, "traffic light": traffic_light,
    "traffic sign": traffic_sign, "bench": bench, "trash can": trash_can, "traffic cone": traffic_cone,
    "fire hydrant": fire_hydrant,
}
