"""Empty scenes: a fixed camera on a rendered street where nothing happens for long, in bad light and weather; then things come.

`python empty.py OUT --seed S --minutes N [--fps F] [--parked NOUN…]` renders empty-S.webm and empty-S.json (as clip.py does).
Each minute has other noise (sigma 1 to 11), another flicker (to 5 %), in one of three rain; the light steps every 7 to 40 s, to
between 0.35 and 1.35, and drifts. A bench and a traffic light stand there, and what --parked names; a person and a car come in
the last half minute.
"""

import argparse
from pathlib import Path

import numpy as np
import skia

import clip
from clip import HEIGHT, WIDTH, Part, Scene
from crops import RECIPES, thing

SEED = 61_211  # of no training crop, no clip and no scene
COMES = 30  # seconds before the end


def scene(seed: int, seconds: float, fps: int, parked) -> Scene:
    """What stands there all the time, and what comes at the end."""
    rng = np.random.default_rng([SEED, seed])
    horizon = rng.uniform(165, 225)
    scale = lambda ground: 0.45 * (ground - horizon + 27)
    cast = []
    places = rng.permutation([90, 230, 390, 540])
    for noun, x in zip(["bench", "traffic light", *parked], places):
        ground = rng.uniform(horizon + 20, horizon + 60)
        new = thing(rng, RECIPES["standard"], noun)
        new.trait = None
        cast.append(Part(new, 0, seconds, x, x + 1e-6, scale(ground), ground))
    for noun, ground, start in [("person", horizon + 90, COMES), ("car", horizon + 65, COMES / 2)]:
        ground = min(ground, HEIGHT - 12)
        new = thing(rng, RECIPES["standard"], noun)
        new.trait = None
        edge = new.size()[0] * scale(ground) / 2 + 8
        takes = (WIDTH + 2 * edge) / (clip.PACE[noun] * scale(ground))
        begin = seconds - start
        cast.append(Part(new, begin, begin + takes, -edge, WIDTH + edge, scale(ground), ground))
    backdrop = clip._backdrop(int(rng.integers(1 << 31)), horizon, rng.uniform(0.1, 0.6))
    return Scene(f"empty-{seed}", seconds, fps, backdrop, cast, seed, [[0, seconds - COMES]])


class Weather:
    """What light, rain and the sensor make of a frame."""

    def __init__(self, seed: int, seconds: float):
        rng = self.rng = np.random.default_rng([SEED, seed, 1])
        self.steps, time = [(0.0, 1.0)], 20.0
        while time < seconds:
            self.steps.append((time, rng.uniform(0.35, 1.35)))
            time += rng.uniform(7, 40)
        minutes = int(seconds // 60) + 1
        self.noise, self.flicker = rng.uniform(1, 11, minutes), rng.uniform(0, 0.05, minutes)
        self.rain = rng.uniform(size=minutes) < 1 / 3

    def __call__(self, pixels, time):
        minute = int(time // 60)
        light = [light for since, light in self.steps if since <= time][-1]
        light *= 1 + 0.05 * np.sin(time / 23) + self.rng.normal(0, self.flicker[minute])
        if self.rain[minute]:
            pixels = pixels + self._drops()
        pixels = np.clip(pixels * light, 0, 255)
        return pixels + self.noise[minute] * self.rng.standard_normal(pixels.shape, np.float32)

    def _drops(self):
        surface = skia.Surface(WIDTH, HEIGHT)
        paint = skia.Paint(Color=skia.ColorSetARGB(255, 60, 60, 66), StrokeWidth=1.2, AntiAlias=True)
        for _ in range(self.rng.integers(60, 160)):
            x, y, length = self.rng.uniform(0, WIDTH), self.rng.uniform(-10, HEIGHT), self.rng.uniform(8, 26)
            surface.getCanvas().drawLine(x, y, x - length / 6, y + length, paint)
        return surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3].astype(np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--fps", type=int, default=5)
    parser.add_argument("--parked", nargs="*", choices=list(clip.PACE), default=[])
    args = parser.parse_args()
    seconds = 60 * args.minutes
    clip.render(scene(args.seed, seconds, args.fps, args.parked), args.out, Weather(args.seed, seconds))
