"""Training: pictures, and the patches of pictures, are told apart by captions.

A step compares its crops with a caption of every class (targets.py), each patch with what lies on it, and the crops of
things with traits with a caption each that says all of it. The patches' embeddings share the pooled one's space, so that
one pass can score a whole grid.

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
from model import MEAN, SIZE, STD, build, encode, features, look
from targets import KIND_AT, TOTAL, Targets, hidden_colours, texts
from vocabulary import learn

BATCH = 256
PEAK_RATE = 2e-3
COARSE, COARSE_SHARE = 48, 0.65
WARM_UP = 15_000  # crops
FAR, FAR_WEIGHT = 0.05, 3.0  # a thing that fills less of its crop than this is chosen this much more often
PATCHES = 1536  # of all in a batch, as many as are asked about
NEVER = hidden_colours()
COVERED, BARE = 0.5, 0.02  # shares of a patch from which it shows a thing, up to which it does not


def odds(labels, covers):
    """The cumulative chance of each crop to be chosen. Six in ten wrong nouns are of things that fill little of their crop."""
    fills = covers[:, 0].mean((1, 2), dtype=np.float32) / 255
    weights = np.where((labels[:, 0] >= 0) & (fills < FAR), FAR_WEIGHT, 1.0)
    return np.cumsum(weights / weights.sum())


def augment(pixels, cover, rng):
    """(N, 72, 72, 3) uint8 to (N, 3, 64, 64) float: shifted, mirrored, brightness and gaps varied; covers likewise."""
    x, y = rng.integers(0, (crops.SIDE - SIZE) // crops.CELL + 1, 2)
    cells = SIZE // crops.CELL
    cover = cover[:, :, y:y + cells, x:x + cells].copy()
    x, y = x * crops.CELL, y * crops.CELL
    cut = pixels[:, y:y + SIZE, x:x + SIZE].transpose(0, 3, 1, 2).astype(np.float32) / 255
    flip = rng.uniform(size=len(cut)) < 0.5
    cut[flip], cover[flip] = cut[flip, :, :, ::-1], cover[flip, :, :, ::-1]
    cut *= rng.uniform(0.85, 1.15, (len(cut), 1, 1, 1))
    cut += rng.normal(0, 0.02, cut.shape).astype(np.float32)
    for i in np.flatnonzero(rng.uniform(size=len(cut)) < 0.12):
        w, h = rng.integers(6, 22, 2)
        x, y = rng.integers(0, SIZE - w), rng.integers(0, SIZE - h)
        cut[i, :, y:y + h, x:x + w] = rng.uniform(0, 1, (3, 1, 1))
    return normalise(torch.from_numpy(np.clip(cut, 0, 1))), torch.from_numpy(cover.astype(np.float32) / 255)


def normalise(pictures):
    return (pictures - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def row_loss(logits, right, hidden):
    """Cross-entropy over the texts that are not hidden, a little of it spread over all of them."""
    chances = logits.masked_fill(hidden, -1e4).log_softmax(1)
    spread = chances.masked_fill(hidden, 0).sum(1) / (~hidden).sum(1)
    return -0.98 * chances.gather(1, right[:, None])[:, 0] - 0.02 * spread


def patch_loss(logits_of, targets, patches, cover, labels, rng):
    """What the patches show: things where one covers them, background where none does."""
    side = int(patches.shape[1] ** 0.5)
    cover = F.adaptive_avg_pool2d(cover, side).flatten(2)  # (N, 2, P)
    on = cover > COVERED
    bare = (cover.amax(1) < BARE).numpy()
    loss = 0.0
    image, thing, patch = np.nonzero(on.numpy())
    if len(image):
        chosen = rng.choice(len(image), min(PATCHES * 2 // 3, len(image)), replace=False)
        image, thing, patch = image[chosen], thing[chosen], patch[chosen]
        rows = [targets.patch(labels[i], t, rng) for i, t in zip(image, thing)]
        logits = logits_of(patches[image, patch])
        loss = row_loss(logits, torch.stack([r for r, _ in rows]).to(logits.device), torch.stack([h for _, h in rows]).to(logits.device)).mean()
    image, patch = np.nonzero(bare)
    chosen = rng.choice(len(image), min(PATCHES // 3, len(image)), replace=False)
    logits = logits_of(patches[image[chosen], patch[chosen]])
    # Which background it is cannot be known patch by patch: any will do.
    return 0.7 * loss + 0.3 * (logits.logsumexp(1) - logits[:, KIND_AT:].logsumexp(1)).mean()


def step_loss(model, tokenizer, targets, pictures, cover, labels, rng, device):
    said = texts(rng)
    # Every crop of a thing with a trait and a known colour has a caption of its own.
    told = [i for i, label in enumerate(labels.tolist()) if label[2] >= 0 and label[1] >= 0 and label[4] > 0 and label[5] < 0][:64]
    own = [captions.whole(rng, *labels[i].tolist()[:4]) for i in told]
    ids, _ = encode(tokenizer, said + own)
    with torch.autocast(device, torch.bfloat16):
        image, patches = look(model, pictures.to(device))
        text = features(model.get_text_features(input_ids=ids.to(device)))
    image, patches, text = (F.normalize(x.float(), dim=-1) for x in (image, patches, text))
    scale = model.logit_scale.exp().clamp(max=60)
    logits = scale * image @ text.T
    where, right, hidden, weight = (x.to(device) for x in targets.crops(labels))
    main = (row_loss(logits[where, :TOTAL], right, hidden) * weight).sum() / len(labels)
    # With two things in sight it has no one colour.
    coloured = ((labels[:, 1] >= 0) & (labels[:, 5] < 0)).to(device)
    never = NEVER.to(device)[labels.to(device)[coloured, 0]]
    colour = F.cross_entropy(logits[coloured][:, TOTAL:len(said)].masked_fill(never, -1e4), labels.to(device)[coloured, 1])
    dense = patch_loss(lambda chosen: scale * chosen @ text[:TOTAL].T, targets, patches, cover, labels.tolist(), rng)
    whole = torch.zeros((), device=device)
    if len(told) > 1:
        same = labels[told][:, None, :4].eq(labels[told][None, :, :4]).all(-1) & ~torch.eye(len(told), dtype=torch.bool)
        whole = F.cross_entropy(logits[told][:, len(said):].masked_fill(same.to(device), -1e4), torch.arange(len(told), device=device))
    return main + 0.4 * colour + 0.5 * dense + 0.25 * whole, {"main": main, "colour": colour, "dense": dense, "whole": whole}


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
    targets, (pixels, labels, covers) = Targets(), crops.load(data)
    chances = odds(labels, covers)
    bar = tqdm(total=count, initial=seen, unit="crop", unit_scale=True, mininterval=10)
    saved = loaded = time.monotonic()
    while seen < count:
        share = seen / count
        for optimiser in update:
            for group in optimiser.param_groups:
                group["lr"] = rate(share, seen)
        chosen = np.sort(np.searchsorted(chances, rng.uniform(0, chances[-1], BATCH)))
        pictures, cover = augment(pixels[chosen], covers[chosen], rng)
        if share < COARSE_SHARE:
            pictures = F.interpolate(pictures, COARSE, mode="bilinear", antialias=True)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        loss, parts = step_loss(model, tokenizer, targets, pictures, cover, torch.from_numpy(labels[chosen]).long(), rng, device)
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
        bar.set_postfix(of=len(pixels), **{name: f"{part.item():.3f}" for name, part in parts.items()}, scale=f"{model.logit_scale.exp().item():.1f}")
        now = time.monotonic()
        if now - loaded > 60 and len(pixels) < sum(1 for _ in data.glob("pixels-*.npy")) * crops.SHARD:
            pixels, labels, covers = crops.load(data)
            chances, loaded = odds(labels, covers), now
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
    parser.add_argument("--crops", type=int, default=900_000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    train(args.data, args.checkpoint, args.crops, args.seed)
