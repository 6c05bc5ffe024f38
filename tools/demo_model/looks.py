"""Looks: what surfaces, light, weather, lens, sensor and codec do to a picture. Pictures are (H, W, 3) float32, 0..255."""

import io
import math

import numpy as np
from PIL import Image, ImageFilter


def field(rng, height: int, width: int, cells: int = 4):
    """A smooth random field, (H, W), mean near 0, mostly within -1..1."""
    coarse = rng.normal(0, 0.5, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC))


def surface(rng, layer):
    """A thing's layer (premultiplied RGBA, 0..1) with uneven light, dirt and sheen, in place of a flat fill."""
    height, width = layer.shape[:2]
    light = 1 + rng.uniform(0, 0.28) * field(rng, height, width, int(rng.integers(2, 6)))
    side = rng.uniform(-0.16, 0.16) * np.linspace(-1, 1, width, dtype=np.float32)
    grain = rng.normal(0, rng.uniform(0, 0.06), (height, width))
    colours = layer[..., :3] * (light + side + grain)[..., None]
    if rng.uniform() < 0.25:  # the sky or a lamp shines on it
        shine = np.clip(field(rng, height, width, 5) - 0.45, 0, 1) * rng.uniform(0.3, 0.9)
        colours += shine[..., None] * layer[..., 3:]
    return np.concatenate([np.clip(colours, 0, layer[..., 3:]), layer[..., 3:]], axis=2).astype(np.float32)


def smear(pixels, length: int, upright: bool = False):
    """Motion blur over so many pixels, along rows or columns."""
    axis = 0 if upright else 1
    return sum(np.roll(pixels, shift - length // 2, axis) for shift in range(length)) / length


def light(rng, pixels, night: bool | None = None):
    """Day, dusk, or night with its lamps and its noise."""
    time = rng.uniform()
    if night or (night is None and time < 0.08):
        pixels = pixels * np.array([0.52, 0.56, 0.68]) * rng.uniform(0.75, 1.05)
        lamp = np.clip(0.4 + field(rng, *pixels.shape[:2], 3), 0, 1.2)[..., None]
        pixels = pixels * (1 + rng.uniform(0, 0.9) * lamp * np.array([1.0, 0.85, 0.6]))
        pixels = pixels + rng.normal(0, rng.uniform(3, 11), pixels.shape)
    elif time < 0.16:
        pixels = pixels * np.array([0.58, 0.62, 0.78]) * rng.uniform(0.8, 1.05)
    elif time < 0.28:
        pixels = pixels * np.array([0.98, 0.84, 0.72]) * rng.uniform(0.8, 1.0)
    elif time < 0.36:  # low sun or a shadow across the picture
        pixels = pixels * (1 - rng.uniform(0.1, 0.4) * (field(rng, *pixels.shape[:2], 3) > 0.1))[..., None]
    pixels = 255 * np.clip(pixels / 255, 0, 1) ** rng.uniform(0.85, 1.2)
    return (pixels - 128) * rng.uniform(0.8, 1.12) + 128 + rng.uniform(-14, 14)


def rain(rng, pixels):
    """Slanting streaks, and the haze between."""
    height, width = pixels.shape[:2]
    haze, slant = rng.uniform(0.05, 0.25), rng.uniform(-0.4, 0.4)
    pixels = pixels * (1 - haze) + 150 * haze
    for _ in range(int(rng.integers(15, 60) * width * height / 5000)):
        x, y, long = rng.integers(0, width), rng.integers(0, height), rng.integers(3, 3 + max(2, height // 8))
        rows = np.arange(y, min(height, y + long))
        columns = np.clip(x + (slant * (rows - y)).astype(int), 0, width - 1)
        pixels[rows, columns] = pixels[rows, columns] * 0.6 + 80
    return pixels


def lens(rng, pixels, strength: float | None = None):
    """Barrel or pincushion distortion about a point in or outside of the crop, and dark corners."""
    height, width = pixels.shape[:2]
    bend = rng.uniform(-0.18, 0.22) if strength is None else strength
    cx, cy = rng.uniform(-0.3, 1.3) * width, rng.uniform(-0.3, 1.3) * height
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = (x - cx) / width, (y - cy) / height
    far = dx * dx + dy * dy
    middle = ((width / 2 - cx) / width) ** 2 + ((height / 2 - cy) / height) ** 2
    scale = (1 + bend * far) / (1 + bend * middle)
    # The crop's own middle stays where it is, so that a thing is not bent out of the crop.
    sx = np.clip(cx + dx * scale * width, 0, width - 1).round().astype(int)
    sy = np.clip(cy + dy * scale * height, 0, height - 1).round().astype(int)
    return pixels[sy, sx] * (1 - rng.uniform(0, 0.25) * np.clip(far, 0, 1))[..., None]


def sensor(rng, pixels, side: int, jpeg: int | None = None):
    """Noise, focus and codec; the picture in (side, side) uint8."""
    if rng.uniform() < 0.6:
        pixels = pixels + rng.normal(0, rng.uniform(1, 9), pixels.shape)
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if rng.uniform() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.1)))
    if jpeg or rng.uniform() < 0.45:
        held = io.BytesIO()
        picture.save(held, "JPEG", quality=jpeg or int(rng.uniform(30, 92)))
        picture = Image.open(held).convert("RGB")
    return np.asarray(picture.resize((side, side), Image.BICUBIC))


def soften(layer, radius: float):
    """A layer whose edges melt into what is behind it."""
    if radius < 0.2:
        return layer
    blurred = Image.fromarray((layer * 255).astype(np.uint8), "RGBA").filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(blurred, dtype=np.float32) / 255


def tilt(rng):
    """A small turn (degrees), skew and squash, as a camera hangs: never quite level, often looking down."""
    return rng.normal(0, 2.5), rng.normal(0, 0.06), 1 - abs(rng.normal(0, 0.08)) if rng.uniform() < 0.5 else math.exp(rng.normal(0, 0.04))
