"""The text tower taught by pictures: phrases against the embeddings of what they name.

`python joint.py DATA IMAGE TEXT OUT --minutes M` keeps the image tower as it is, embeds training pictures once with light augmentation, and trains the
text tower so that a picture's phrases win against those of other pictures, while phrases in general stay where the teacher has them.
"""

import argparse
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional as F
from tqdm import tqdm

import lexicon
from data import weather
from text import Text, pad, tokens
from tower import Tower, normalise
from train import Batches, Phrases


def pictures(model, batches, count, rng):
    """Embeddings of `count` training pictures with their label, colour and captions."""
    seen, rows = [], []
    with torch.no_grad():
        for _ in tqdm(range(count // 128), mininterval=20):
            crops, _, drawn = batches.draw(rng)
            crops, colourless = weather(crops, rng)
            seen.append(F.normalize(model(normalise(crops))[0], dim=-1))
            for (_, part, i, off), grey in zip(drawn, colourless):
                rows.append((part.labels[i], "" if grey or off else part.colours[i], part.captions[i], bool(off)))
    return torch.cat(seen), rows


def train(data: Path, image: Path, text: Path, out: Path, minutes: float, count: int):
    held = torch.load(image, map_location="cpu")
    tower = Tower().fold()
    tower.load_state_dict(held["average"])
    scale = min(50.0, math.exp(held["log_scale"]))
    said = torch.load(text, map_location="cpu")
    tokenizer = Tokenizer.from_str(said["tokenizer"])
    model = Text(tokenizer.get_vocab_size())
    model.load_state_dict(said["model"])
    batches = Batches(data, lambda labels: Phrases(data, labels, []))
    rng, draw = np.random.default_rng(11), random.Random(11)
    seen, rows = pictures(tower, batches, count, rng)
    phrases = batches.phrases
    by_label = {}
    for n, (label, _, captions, off) in enumerate(rows):
        if not off and not captions and (label in phrases.order or label == "background"):
            by_label.setdefault(label, []).append(n)
    photos = [n for n, row in enumerate(rows) if row[2]]
    coloured = [n for n, (label, colour, _, _) in enumerate(rows) if colour and label in phrases.coloured]
    labels = [v for v in by_label if v != "background"]
    weights = [len(by_label[v]) ** 0.5 for v in labels]
    texts = (data / "phrases.txt").read_text().splitlines()
    wanted = torch.from_numpy(np.load(data / "teacher.npy"))
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-4, betas=(0.9, 0.98), weight_decay=0.02)
    spoken = lambda phrase: draw.choice(lexicon.TEMPLATES).format(phrase) if draw.random() < 0.3 else phrase
    began, shown, bar = time.monotonic(), {}, tqdm(total=round(minutes * 60), mininterval=20)
    while (spent := time.monotonic() - began) < minutes * 60:
        bar.update(round(spent) - bar.n)
        for group in optimiser.param_groups:
            group["lr"] = 4e-4 * min(1.0, (spent + 5) / 30) * 0.5 * (1 + math.cos(math.pi * spent / minutes / 60))
        chosen = list(dict.fromkeys(draw.choices(labels, weights, k=110)))
        backgrounds = draw.sample(lexicon.BACKGROUND, 16)
        own = [draw.choice(by_label[v]) for v in chosen for _ in range(3)]
        empty = [draw.choice(by_label["background"]) for _ in range(40)]
        tinted = draw.sample(coloured, 24)
        shots = draw.sample(photos, min(24, len(photos)))
        said = [spoken(draw.choice(lexicon.phrases(v))) for v in chosen] + backgrounds
        tints = [spoken(draw.choice(lexicon.coloured(rows[n][0], c))) for n in tinted for c in lexicon.COLOURS]
        pick = [n * len(lexicon.COLOURS) + lexicon.COLOURS.index("grey" if rows[r][1] == "gray" else rows[r][1]) for n, r in enumerate(tinted)]
        captions = [draw.choice(rows[n][2]) for n in shots]
        kept = draw.sample(range(len(texts)), 160)
        unique = list(dict.fromkeys(said + tints + captions))
        at = {t: i for i, t in enumerate(unique)}
        given = F.normalize(model(pad(tokens(tokenizer, unique + [texts[i] for i in kept]))), dim=-1)
        table = given[[at[t] for t in said]]
        order = {v: i for i, v in enumerate(chosen)}
        logits = scale * seen[own] @ table.T
        right = torch.tensor([order[v] for v in chosen for _ in range(3)])
        near = phrases.near[[phrases.order[v] for v in chosen]][:, [phrases.order[v] for v in chosen]]
        hidden = torch.cat([near[right], torch.zeros(len(right), len(backgrounds), dtype=torch.bool)], 1)
        parts = {"label": F.cross_entropy(logits.masked_fill(hidden, -1e4), right)}
        chances = (scale * seen[empty] @ table.T).log_softmax(1)
        parts["empty"] = -0.3 * chances[:, len(chosen):].logsumexp(1).mean()
        sets = given[[at[t] for t in tints]].view(len(tinted), len(lexicon.COLOURS), -1)
        parts["colour"] = 0.5 * F.cross_entropy(1.5 * scale * torch.einsum("nd,ncd->nc", seen[tinted], sets), torch.tensor(pick) % len(lexicon.COLOURS))
        parts["caption"] = 0.2 * F.cross_entropy(scale * seen[shots] @ given[[at[t] for t in captions]].T, torch.arange(len(shots)))
        parts["teacher"] = 3.0 * (1 - (given[len(unique):] * wanted[kept]).sum(1)).mean()
        loss = sum(parts.values())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        for name, part in parts.items():
            shown[name] = 0.97 * shown.get(name, part.item()) + 0.03 * part.item()
        bar.set_postfix({k: f"{v:.3f}" for k, v in shown.items()})
    torch.save({"tokenizer": tokenizer.to_str(), "model": model.state_dict()}, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--pictures", type=int, default=30_000)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    train(args.data, args.image, args.text, args.out, args.minutes, args.pictures)
