"""Training: pictures are told apart by captions, every class at once.

A batch of pictures is compared with one freshly drawn caption of every colour–noun pair, noun and background kind. A
picture of a blue bicycle must prefer "a blue bicycle" to all other pairs, nouns and backgrounds, and "a bicycle" to all
other nouns and backgrounds: one logit scale for all, so that a softmax of any prompt against any negatives is calibrated.

The first part of the schedule sees the crops at 48 pixels, which costs half, the rest at the model's 64. Weight matrices
of the transformers are updated by Muon, which needs fewer pictures than AdamW; all else by AdamW.

`python train.py DATA CHECKPOINT --crops N` trains on N crops, and goes on from CHECKPOINT if it exists.
"""

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from tqdm import tqdm

import captions
import crops
from model import MEAN, SIZE, STD, build, encode, features
from palette import COLOURS
from street import KINDS
from things import NOUNS
from vocabulary import learn

BATCH = 256
PEAK_RATE = 2e-3
COARSE, COARSE_SHARE = 48, 0.65
WARM_UP = 15_000  # crops


def texts(rng):
    """One caption of every class: pairs, then nouns, then background kinds, then "nothing"."""
    return ([captions.pair(rng, n, c) for n, c in captions.PAIRS] + [captions.noun(rng, n) for n in range(len(NOUNS))]
            + [captions.background(rng, k) for k in range(len(KINDS))] + [captions.nothing(rng)])


class Targets:
    """Which text is right for a label, and which texts must not count against it."""

    def __init__(self):
        pairs, nouns = len(captions.PAIRS), len(NOUNS)
        self.total = pairs + nouns + len(KINDS) + 1
        pair_of = {pair: i for i, pair in enumerate(captions.PAIRS)}
        self.noun_at, self.kind_at = pairs, pairs + nouns
        of_noun = [[i for i, (n, _) in enumerate(captions.PAIRS) if n == noun] for noun in range(nouns)]
        self.table = {}
        for noun in range(nouns):
            for colour in range(-1, len(COLOURS)):
                pair = pair_of.get((noun, colour))
                hidden = torch.zeros(2, self.total, dtype=torch.bool)
                hidden[1, of_noun[noun]] = True
                if pair is None:
                    hidden[0], first = hidden[1], self.noun_at + noun
                else:
                    hidden[0, self.noun_at + noun], first = True, pair
                self.table[noun, colour, -1] = (torch.tensor([first, self.noun_at + noun]), hidden)
        for kind in range(len(KINDS)):
            hidden = torch.zeros(2, self.total, dtype=torch.bool)
            hidden[0, -1] = True
            hidden[1, self.kind_at:self.kind_at + len(KINDS)] = True
            # A road, grass or a building is part of an empty street: neither argues against the other.
            street = self.kind_at + KINDS.index("street")
            if kind == KINDS.index("street"):
                hidden[0, self.kind_at:self.kind_at + len(KINDS)] = True
                hidden[0, street] = False
            else:
                hidden[0, street] = True
            self.table[-1, -1, kind] = (torch.tensor([self.kind_at + kind, self.total - 1]), hidden)

    def __call__(self, labels):
        found = [self.table[tuple(row)] for row in labels.tolist()]
        return torch.stack([f[0] for f in found]), torch.stack([f[1] for f in found])


def augment(pixels, rng):
    """(N, 72, 72, 3) uint8 to (N, 3, 64, 64) float: shifted, mirrored, brightness and gaps varied."""
    x, y = rng.integers(0, crops.SIDE - SIZE + 1, 2)
    cut = pixels[:, y:y + SIZE, x:x + SIZE].transpose(0, 3, 1, 2).astype(np.float32) / 255
    flip = rng.uniform(size=len(cut)) < 0.5
    cut[flip] = cut[flip, :, :, ::-1]
    cut *= rng.uniform(0.85, 1.15, (len(cut), 1, 1, 1))
    cut += rng.normal(0, 0.02, cut.shape).astype(np.float32)
    for i in np.flatnonzero(rng.uniform(size=len(cut)) < 0.2):
        w, h = rng.integers(6, 26, 2)
        x, y = rng.integers(0, SIZE - w), rng.integers(0, SIZE - h)
        cut[i, :, y:y + h, x:x + w] = rng.uniform(0, 1, (3, 1, 1))
    return normalise(torch.from_numpy(np.clip(cut, 0, 1)))


def normalise(pictures):
    return (pictures - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def step_loss(model, tokenizer, targets, pictures, labels, rng, device):
    ids, _ = encode(tokenizer, texts(rng) + [captions.colour(rng, c) for c in range(len(COLOURS))])
    with torch.autocast(device, torch.bfloat16):
        image = features(model.get_image_features(pixel_values=pictures.to(device), interpolate_pos_encoding=True))
    text = features(model.get_text_features(input_ids=ids.to(device)))
    image, text = F.normalize(image.float(), dim=-1), F.normalize(text.float(), dim=-1)
    scale = model.logit_scale.exp().clamp(max=60)
    logits = scale * image @ text.T
    right, hidden = targets(labels)
    right, hidden = right.to(device), hidden.to(device)
    main = sum(F.cross_entropy(logits[:, :targets.total].masked_fill(hidden[:, i], -1e4), right[:, i], label_smoothing=0.02)
               for i in range(2)) / 2
    coloured = labels[:, 1] >= 0
    colour = F.cross_entropy(logits[coloured.to(device)][:, targets.total:], labels[coloured, 1].long().to(device))
    return main + 0.4 * colour, main, colour


def optimisers(model):
    """Muon for the transformers' matrices, AdamW for embeddings, convolutions, norms and biases."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and ".layers." in name]
    held = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in held]
    groups = [{"params": [p for p in rest if p.ndim > 1], "weight_decay": 0.05}, {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0}]
    return [torch.optim.Muon(matrices, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"), torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)]


def rate(share: float, seen: int) -> float:
    """The learning rate at this share of the schedule: warm-up, then a cosine to nothing."""
    return PEAK_RATE * min(1, seen / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * share)) + 1e-6


def train(data: Path, checkpoint: Path, count: int, seed: int = 7):
    torch.manual_seed(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    held = torch.load(checkpoint, map_location=device) if checkpoint.exists() else None
    tokenizer = Tokenizer.from_str(held["tokenizer"]) if held else learn()
    model = build(tokenizer).to(device).train()
    model.vision_model.embeddings.to(memory_format=torch.channels_last)
    average, update = copy.deepcopy(model).eval(), optimisers(model)
    seen = 0
    if held:
        model.load_state_dict(held["model"])
        average.load_state_dict(held["average"])
        for optimiser, state in zip(update, held["optimisers"]):
            optimiser.load_state_dict(state)
        seen = held["seen"]
        print(f"goes on after {seen} crops")
    rng = np.random.default_rng([seed, seen])
    targets, (pixels, labels) = Targets(), crops.load(data)
    bar = tqdm(total=count, initial=seen, unit="crop", unit_scale=True, mininterval=10)
    saved = loaded = time.monotonic()
    while seen < count:
        share = seen / count
        for optimiser in update:
            for group in optimiser.param_groups:
                group["lr"] = rate(share, seen)
        chosen = np.sort(rng.integers(0, len(pixels), BATCH))
        pictures = augment(pixels[chosen], rng)
        if share < COARSE_SHARE:
            pictures = F.interpolate(pictures, COARSE, mode="bilinear", antialias=True)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        loss, main, colour = step_loss(model, tokenizer, targets, pictures, torch.from_numpy(labels[chosen]), rng, device)
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in update:
            optimiser.step()
        seen += BATCH
        with torch.no_grad():
            keep = min(0.998, 1 - 10 / (10 + seen / BATCH))
            for kept, new in zip(average.state_dict().values(), model.state_dict().values()):
                kept.lerp_(new, 1 - keep) if kept.is_floating_point() else kept.copy_(new)
        bar.update(BATCH)
        bar.set_postfix(of=len(pixels), main=f"{main.item():.3f}", colour=f"{colour.item():.3f}", scale=f"{model.logit_scale.exp().item():.1f}")
        now = time.monotonic()
        if now - loaded > 60 and len(pixels) < sum(1 for _ in data.glob("pixels-*.npy")) * crops.SHARD:
            pixels, labels = crops.load(data)
            loaded = now
        if now - saved > 120 or seen >= count:
            torch.save({"tokenizer": tokenizer.to_str(), "model": model.state_dict(), "average": average.state_dict(),
                        "optimisers": [optimiser.state_dict() for optimiser in update], "seen": seen}, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
            saved = now
    bar.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--crops", type=int, default=420_000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    train(args.data, args.checkpoint, args.crops, args.seed)
