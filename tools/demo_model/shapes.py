"""Shapes: what things are put together from, in metres."""

import skia

from palette import paint, shade

SKIN = [(0.95, 0.80, 0.69), (0.82, 0.62, 0.48), (0.55, 0.38, 0.26), (0.36, 0.24, 0.17)]
DARK = [(0.12, 0.12, 0.16), (0.20, 0.22, 0.32), (0.25, 0.20, 0.16), (0.33, 0.33, 0.36), (0.10, 0.14, 0.28)]
GLASS = (0.62, 0.76, 0.84)
TYRE = (0.09, 0.09, 0.10)


def one(rng, options):
    return options[rng.integers(len(options))]


def lit(colour, top, bottom):
    """A fill that is lit from above."""
    fill = paint(colour)
    ends = [skia.Color4f(*shade(colour, 1.12), 1).toColor(), skia.Color4f(*shade(colour, 0.80), 1).toColor()]
    fill.setShader(skia.GradientShader.MakeLinear([skia.Point(0, top), skia.Point(0, bottom)], ends))
    return fill


def poly(canvas, points, fill, smooth=0.0):
    path = skia.Path()
    path.addPoly([skia.Point(*p) for p in points], True)
    if smooth:
        fill = skia.Paint(fill)
        fill.setPathEffect(skia.CornerPathEffect.Make(smooth))
    canvas.drawPath(path, fill)


def line(canvas, points, colour, width):
    path = skia.Path()
    path.addPoly([skia.Point(*p) for p in points], False)
    canvas.drawPath(path, paint(colour, stroke=width))


def rounded(canvas, x0, y0, x1, y1, radius, fill):
    canvas.drawRoundRect(skia.Rect.MakeLTRB(x0, y0, x1, y1), radius, radius, fill)


def wheel(canvas, x, radius, hub=(0.55, 0.56, 0.58)):
    canvas.drawCircle(x, -radius, radius, paint(TYRE))
    canvas.drawCircle(x, -radius, radius * 0.55, paint(hub))
    canvas.drawCircle(x, -radius, radius * 0.2, paint(shade(hub, 0.5)))
