"""Colours: the eleven basic ones, each a range of hue, saturation and value that does not reach its neighbours'."""

import colorsys

import numpy as np
import skia

COLOURS = ["black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown"]

# Hue in degrees, saturation and value in 0..1: (low, high) of each.
_RANGES = {
    "black": ((0, 360), (0.0, 0.15), (0.04, 0.14)),
    "white": ((0, 360), (0.0, 0.05), (0.92, 1.0)),
    "grey": ((0, 360), (0.0, 0.07), (0.42, 0.60)),
    "red": ((-8, 6), (0.80, 1.0), (0.62, 0.92)),
    "orange": ((24, 33), (0.88, 1.0), (0.92, 1.0)),
    "yellow": ((50, 58), (0.75, 1.0), (0.90, 1.0)),
    "green": ((100, 150), (0.60, 0.95), (0.38, 0.75)),
    "blue": ((212, 234), (0.72, 1.0), (0.50, 0.95)),
    "purple": ((270, 286), (0.55, 0.85), (0.42, 0.70)),
    "pink": ((325, 345), (0.30, 0.52), (0.93, 1.0)),
    "brown": ((18, 28), (0.58, 0.78), (0.28, 0.44)),
}


def sample(rng: np.random.Generator, name: str) -> tuple[float, float, float]:
    """An RGB colour (0..1 each) that people would call `name`."""
    hue, saturation, value = (rng.uniform(*span) for span in _RANGES[name])
    return colorsys.hsv_to_rgb((hue % 360) / 360, saturation, value)


def shade(colour, factor: float) -> tuple[float, float, float]:
    """The colour made lighter (factor > 1) or darker."""
    return tuple(min(1.0, max(0.0, c * factor)) for c in colour)


def paint(colour, alpha: float = 1.0, stroke: float | None = None) -> skia.Paint:
    """A paint that fills, or strokes with the given width in local units."""
    made = skia.Paint(AntiAlias=True, Color4f=skia.Color4f(*colour, alpha))
    if stroke is not None:
        made.setStyle(skia.Paint.kStroke_Style)
        made.setStrokeWidth(stroke)
        made.setStrokeCap(skia.Paint.kRound_Cap)
        made.setStrokeJoin(skia.Paint.kRound_Join)
    return made
