"""The street: what stands behind the things, drawn in pixels for a view of a given scale. No noun of `things` in it."""

import numpy as np
import skia

from palette import COLOURS, paint, sample, shade

KINDS = ["street", "building", "sky", "trees", "road", "grass"]


def _one(rng, options):
    return options[rng.integers(len(options))]


def _rect(canvas, x0, y0, x1, y1, fill):
    canvas.drawRect(skia.Rect.MakeLTRB(x0, y0, x1, y1), fill)


def _wall_colour(rng):
    base = np.array(_one(rng, [(0.72, 0.62, 0.52), (0.62, 0.40, 0.33), (0.78, 0.76, 0.72), (0.55, 0.56, 0.60),
                               (0.82, 0.74, 0.58), (0.45, 0.38, 0.34), (0.64, 0.70, 0.72), (0.86, 0.84, 0.80)]))
    return tuple(np.clip(base + rng.normal(0, 0.05, 3), 0, 1))


def _sky(canvas, rng, width, bottom, m):
    top = _one(rng, [(0.35, 0.58, 0.88), (0.62, 0.72, 0.82), (0.75, 0.78, 0.82), (0.50, 0.66, 0.90), (0.85, 0.72, 0.62)])
    fill = skia.Paint()
    fill.setShader(skia.GradientShader.MakeLinear(
        [skia.Point(0, 0), skia.Point(0, max(bottom, 1))],
        [skia.Color4f(*top, 1).toColor(), skia.Color4f(*shade(top, 1.25), 1).toColor()]))
    _rect(canvas, 0, 0, width, bottom, fill)
    for _ in range(rng.integers(0, 4)):
        x, y, r = rng.uniform(0, width), rng.uniform(0, max(bottom * 0.6, 1)), rng.uniform(0.3, 1.0) * m
        for _ in range(4):
            canvas.drawCircle(x + rng.normal(0, r), y + rng.normal(0, r * 0.25), r * rng.uniform(0.4, 0.9), paint((1, 1, 1), 0.35))


def _building(canvas, rng, x0, x1, base, height, m):
    wall = _wall_colour(rng)
    _rect(canvas, x0, base - height, x1, base, paint(wall))
    if rng.uniform() < 0.4:  # courses of brick or boards
        step = m * rng.uniform(0.12, 0.3)
        for y in np.arange(base - height, base, max(step, 2)):
            canvas.drawLine(x0, y, x1, y, paint(shade(wall, 0.9), stroke=max(1, 0.02 * m)))
    if m > 4:
        pitch, size = rng.uniform(1.6, 3.0) * m, rng.uniform(0.7, 1.3) * m
        pane = _one(rng, [(0.25, 0.32, 0.40), (0.55, 0.65, 0.72), (0.90, 0.82, 0.55), (0.16, 0.18, 0.22)])
        for y in np.arange(base - height + 0.5 * m, base - 1.2 * m, rng.uniform(1.8, 2.8) * m):
            for x in np.arange(x0 + 0.4 * m, x1 - size, pitch):
                _rect(canvas, x - 0.08 * m, y - 0.08 * m, x + size * 0.8 + 0.08 * m, y + size * 1.2 + 0.08 * m, paint(shade(wall, 1.15)))
                _rect(canvas, x, y, x + size * 0.8, y + size * 1.2, paint(shade(pane, rng.uniform(0.8, 1.1))))
        if rng.uniform() < 0.5:
            x = rng.uniform(x0, max(x0 + 1, x1 - m))
            door = sample(rng, _one(rng, COLOURS)) if rng.uniform() < 0.5 else shade(wall, 0.5)
            _rect(canvas, x, base - 2.1 * m, x + 0.95 * m, base, paint(door))


def _tree(canvas, rng, x, base, m):
    height = rng.uniform(2.5, 6) * m
    _rect(canvas, x - 0.12 * m, base - height * 0.55, x + 0.12 * m, base, paint((0.33, 0.24, 0.16)))
    leaf = np.array([rng.uniform(0.15, 0.40), rng.uniform(0.35, 0.58), rng.uniform(0.12, 0.28)])
    for _ in range(9):
        dx, dy = rng.normal(0, height * 0.17), rng.normal(0, height * 0.13)
        canvas.drawCircle(x + dx, base - height * 0.75 + dy, height * rng.uniform(0.10, 0.20), paint(shade(leaf, rng.uniform(0.75, 1.2))))


def _distractor(canvas, rng, x, base, m):
    """Something that no noun names: a box, a post, a bush, a poster, a puddle."""
    kind, colour = rng.integers(6), sample(rng, _one(rng, COLOURS))
    if kind == 0:
        w, h = rng.uniform(0.3, 1.6) * m, rng.uniform(0.3, 1.4) * m
        _rect(canvas, x, base - h, x + w, base, paint(colour))
        _rect(canvas, x, base - h, x + w, base - h * 0.85, paint(shade(colour, 0.8)))
    elif kind == 1:
        h = rng.uniform(0.5, 4.0) * m
        _rect(canvas, x, base - h, x + rng.uniform(0.05, 0.15) * m, base, paint(shade(colour, 0.6)))
    elif kind == 2:
        for _ in range(6):
            canvas.drawCircle(x + rng.normal(0, 0.4 * m), base - abs(rng.normal(0.25, 0.15)) * m, rng.uniform(0.15, 0.4) * m,
                              paint((rng.uniform(0.1, 0.3), rng.uniform(0.3, 0.5), rng.uniform(0.1, 0.25))))
    elif kind == 3:
        y = base - rng.uniform(1.0, 2.2) * m
        w, h = rng.uniform(0.4, 1.2) * m, rng.uniform(0.4, 1.2) * m
        _rect(canvas, x, y - h, x + w, y, paint(colour))
        for i in range(3):
            _rect(canvas, x + w * 0.15, y - h * (0.8 - 0.25 * i), x + w * rng.uniform(0.4, 0.85), y - h * (0.7 - 0.25 * i), paint(shade(colour, 0.5)))
    elif kind == 4:
        canvas.drawOval(skia.Rect.MakeXYWH(x, base, rng.uniform(0.5, 2) * m, rng.uniform(0.1, 0.4) * m), paint(shade(colour, 0.5), 0.6))
    else:
        points = [skia.Point(x + rng.uniform(-0.6, 0.6) * m, base - rng.uniform(0, 1.2) * m) for _ in range(5)]
        path = skia.Path()
        path.addPoly(points, True)
        canvas.drawPath(path, paint(colour, rng.uniform(0.5, 1)))


def _texture(canvas, rng, width, height):
    base = np.array(sample(rng, _one(rng, COLOURS))) * 0.6 + 0.4 * rng.uniform(0.2, 0.8, 3)
    _rect(canvas, 0, 0, width, height, paint(tuple(base)))
    for _ in range(rng.integers(5, 40)):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.02, 0.3) * width
        fill = paint(tuple(np.clip(base + rng.normal(0, 0.15, 3), 0, 1)), rng.uniform(0.3, 1))
        if rng.uniform() < 0.5:
            canvas.drawCircle(x, y, r, fill)
        else:
            _rect(canvas, x, y, x + r * rng.uniform(0.2, 4), y + r * rng.uniform(0.2, 2), fill)


def draw(canvas, rng, width: int, height: int, m: float, horizon: float, kind: str = "street", clutter: float = 1.0):
    """Fills the canvas. `m` is pixels a metre, `horizon` the row (pixels) where the ground begins."""
    if kind == "texture":
        return _texture(canvas, rng, width, height)
    if kind == "sky":
        horizon = height * rng.uniform(1.0, 1.3)
    elif kind in ("road", "grass"):
        horizon = height * rng.uniform(-0.5, 0.08)
    elif kind in ("building", "trees"):
        horizon = height * rng.uniform(0.85, 1.2)
    _sky(canvas, rng, width, max(horizon, 0), m)
    far = m * rng.uniform(0.5, 1.0)
    if kind != "sky":
        x = -rng.uniform(0, 8) * far
        while x < width:
            wide = rng.uniform(5, 14) * far
            what = rng.uniform()
            if kind == "building" or (kind == "street" and what < 0.65):
                _building(canvas, rng, x, x + wide, horizon, rng.uniform(3, 14) * far * (2.5 if kind == "building" else 1), far)
            elif kind == "trees" or what < 0.9:
                for _ in range(5 if kind == "trees" else 2):
                    _tree(canvas, rng, x + rng.uniform(0, wide), horizon, far * (1.6 if kind == "trees" else 1))
            x += wide
    if horizon >= height:
        return None
    grass = kind == "grass" or (kind != "road" and rng.uniform() < 0.2)
    tone = rng.uniform(0.28, 0.62)
    ground = (0.30 * rng.uniform(0.7, 1.3), 0.47 * rng.uniform(0.7, 1.2), 0.22) if grass else tuple(np.clip(tone + rng.normal(0, 0.02, 3), 0, 1))
    _rect(canvas, 0, horizon, width, height, paint(ground))
    for _ in range(int(25 * clutter)):
        x, y = rng.uniform(0, width), rng.uniform(horizon, height)
        _rect(canvas, x, y, x + rng.uniform(0.02, 0.5) * m, y + rng.uniform(0.01, 0.06) * m, paint(shade(ground, rng.uniform(0.85, 1.15)), 0.6))
    if not grass:
        kerb = horizon + rng.uniform(0.05, 1.2) * m
        if rng.uniform() < 0.7:
            _rect(canvas, 0, horizon, width, kerb, paint(shade(ground, rng.uniform(1.15, 1.5))))
            _rect(canvas, 0, kerb, width, kerb + 0.08 * m, paint(shade(ground, 0.75)))
        if rng.uniform() < 0.5:
            y, mark = kerb + rng.uniform(0.3, 2.0) * m, _one(rng, [(0.9, 0.9, 0.88), (0.85, 0.7, 0.25)])
            for x in np.arange(-rng.uniform(0, 2) * m, width, 2.4 * m):
                _rect(canvas, x, y, x + 1.3 * m, y + 0.1 * m, paint(mark))
        if rng.uniform() < 0.12:
            for x in np.arange(0, width, 1.0 * m):
                _rect(canvas, x, kerb + 0.3 * m, x + 0.5 * m, kerb + 2.2 * m, paint((0.88, 0.88, 0.86)))
    if rng.uniform() < 0.25:  # a fence or a low wall
        y, tall, colour = horizon + rng.uniform(0, 0.3) * m, rng.uniform(0.5, 1.4) * m, _wall_colour(rng)
        if rng.uniform() < 0.5:
            _rect(canvas, 0, y - tall, width, y, paint(colour))
        else:
            for x in np.arange(0, width, max(0.25 * m, 2)):
                _rect(canvas, x, y - tall, x + 0.06 * m, y, paint(colour))
            _rect(canvas, 0, y - tall * 0.9, width, y - tall * 0.8, paint(colour))
    for _ in range(rng.poisson(0.9 * clutter)):
        _distractor(canvas, rng, rng.uniform(-0.5 * m, width), horizon + rng.uniform(0, 0.7) * (height - horizon), m)
    return None
