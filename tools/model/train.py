"""Training of the image tower against the teacher's embeddings of what pictures show.

`python train.py DATA CHECKPOINT --crops N` trains until N crops were seen in all and goes on from CHECKPOINT. A step's losses:
- labels: the picture against one phrase of every label; background pictures against all background phrases together;
- colours: the picture against its label in every colour;
- patches: those on the object against the labels, those beside it against the background;
- boxes: generalised IoU and smooth L1 of the regressed box, cross-entropy of whether there is an object in the middle;
- proposals: of squares of any size and place, by patch, the box of the object around it, and the IoU that it reaches as the chance that it is one;
- captions: photos against their captions;
- names: the ImageNet classifier that the tower starts from gives chances of 1,000 nouns; the picture against their phrases is to give the
  same (Hinton et al. 2015), so that nouns without a label here are not lost.
"""

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

import lexicon
from data import NEGATIVE_SETS, Part, Scenes, cut, patch_targets, weather
from tower import NEW, SIZE, STRIDE, Tower, normalise

PARTS = {"crops": 44, "windows": 38, "rendered": 8, "captioned": 8, "pseudo": 10}
SCENES = 20
FROZEN = 6  # blocks that stay as they are
GREYISH = {"silver", "grey", "white"}


class Phrases:
    """The teacher's embeddings by phrase, and those of labels, colours and names."""

    def __init__(self, folder: Path, labels, names):
        texts = (folder / "phrases.txt").read_text().splitlines()
        self.table = torch.from_numpy(np.load(folder / "teacher.npy"))
        self.at = {text: i for i, text in enumerate(texts)}
        known = lambda phrases: [self.at[p] for p in phrases if p in self.at]
        self.background = torch.tensor(known(lexicon.BACKGROUND))
        self.labels = {v: known(lexicon.phrases(v)) for v in sorted(labels) if v and v != "background" and known(lexicon.phrases(v))}
        self.order = {label: i for i, label in enumerate(self.labels)}
        self.coloured = {}
        for label in self.labels:
            found = [known(lexicon.coloured(label, c)) for c in lexicon.COLOURS]
            if all(found):
                self.coloured[label] = found
        found = [(i, self.at[p]) for i, name in enumerate(names) if (p := lexicon.article(name.lower())) in self.at]
        self.names, self.name_rows = torch.tensor([i for i, _ in found]), torch.tensor([row for _, row in found])
        self.near = torch.zeros(len(self.order), len(self.order), dtype=torch.bool)
        for group in lexicon.NEAR:
            inside = [self.order[v] for v in group if v in self.order]
            for a in inside:
                self.near[a, inside] = True
        mean = F.normalize(torch.stack([self.table[rows].mean(0) for rows in self.labels.values()]), dim=-1)
        self.near |= mean @ mean.T > 0.8  # the same by other names
        self.near.fill_diagonal_(False)

    def draw(self, rng):
        """One phrase of each label, then all of the background: (L + K, DIM)."""
        rows = [r[0] if rng.uniform() < 0.35 else r[rng.integers(len(r))] for r in self.labels.values()]
        return torch.cat([self.table[rows], self.table[self.background]])


def label_loss(logits, wanted, hidden, count):
    """(N, L + K) logits; `wanted` an index below L, or -1 for background. Mean over the N."""
    logits = logits.masked_fill(hidden, -1e4)
    chances = logits.log_softmax(1)
    right = torch.where(wanted >= 0, chances.gather(1, wanted.clamp(min=0)[:, None])[:, 0], chances[:, count:].logsumexp(1))
    return -right.mean()


def giou(a, b):
    """Generalised IoU (Rezatofighi et al. 2019) of (N, 4) boxes."""
    area = lambda x: (x[:, 2] - x[:, 0]).clamp(min=0) * (x[:, 3] - x[:, 1]).clamp(min=0)
    inside = torch.cat([torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])], 1)
    around = torch.cat([torch.minimum(a[:, :2], b[:, :2]), torch.maximum(a[:, 2:], b[:, 2:])], 1)
    union = area(a) + area(b) - area(inside)
    return area(inside) / union.clamp(min=1e-6) - (area(around) - union) / area(around).clamp(min=1e-6)


class Batches:
    def __init__(self, folder: Path, phrases_of, permissive=False):
        self.parts = {name: Part(folder, name, "train", permissive) for name in PARTS if (folder / f"{name}.tsv").exists()}
        self.parts = {name: part for name, part in self.parts.items() if part.labels}
        self.scenes = Scenes(folder, [name for name in ("scenes", "pseudo-scenes") if (folder / f"{name}.tsv").exists()], "train", permissive)
        self.phrases = phrases_of({v for part in self.parts.values() for v in part.labels})
        known = set(self.phrases.order) | {"background"}
        self.chances = {name: part.chances(known if name != "captioned" else {""}, {"windows": 0.25, "crops": 0.06, "rendered": 0.2}.get(name)) for name, part in self.parts.items()}

    def draw(self, rng):
        pictures, boxes, rows = [], [], []
        for name, part in self.parts.items():
            count = PARTS[name]
            at = np.sort(np.searchsorted(self.chances[name], rng.uniform(0, 1 - 1e-9, count)))
            loose = {"windows": (0.6, 1.02), "pseudo": (0.6, 1.02), "crops": (0.78, 1.0), "rendered": (0.85, 1.0), "captioned": (0.8, 1.0)}[name]
            crops, box, off = cut(part.pixels[at], part.boxes[at], part.boxed[at], rng, loose, *((0.12, 0.15) if name in ("windows", "pseudo") else (0.0, 0.0)))
            pictures.append(crops)
            boxes.append(box)
            rows += [(name, part, i, o) for i, o in zip(at, off)]
        return torch.cat(pictures), torch.cat(boxes), rows


def losses(model, classifier, batches, rng, scale):
    phrases = batches.phrases
    pictures, boxes, rows = batches.draw(rng)
    squares, scenes = batches.scenes.draw(SCENES, rng)
    pictures, colourless = weather(torch.cat([pictures, squares]), rng)
    given = normalise(pictures).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        x = F.relu6(model.stem(given))
        for block in model.blocks[:FROZEN]:
            x = block(x)
        judged = classifier(x[:len(rows)])
    image, patches, box, proposals = model.heads(x)
    image, patches = F.normalize(image, dim=-1), F.normalize(patches, dim=-1)
    scene_patches, proposals = patches[len(rows):], proposals[len(rows):]
    image, patches, box = image[:len(rows)], patches[:len(rows)], box[:len(rows)]
    count = len(phrases.order)
    labels = [part.labels[i] for _, part, i, _ in rows]
    off = torch.tensor([bool(o) for *_, o in rows])
    wanted = torch.tensor([phrases.order.get(v, -1) for v in labels])
    shown = torch.tensor([name != "captioned" for name, *_ in rows])
    table = phrases.draw(rng)
    hidden = torch.zeros(len(rows), len(table), dtype=torch.bool)
    hidden[:, :count] = torch.where((wanted >= 0)[:, None], phrases.near[wanted.clamp(min=0)], False)
    for n, (name, part, i, _) in enumerate(rows):
        for other in part.others[i].split(",") if part.others[i] else []:
            if other in phrases.order and phrases.order[other] != wanted[n]:
                hidden[n, phrases.order[other]] = True
                hidden[n, :count] |= phrases.near[phrases.order[other]]
        if wanted[n] >= 0:
            hidden[n, wanted[n]] = False
    parts = {}
    told = shown & ~off
    parts["label"] = label_loss(scale * image[told] @ table.T, wanted[told], hidden[told], count)

    own, right = [], []
    for n, (name, part, i, o) in enumerate(rows):
        colour = part.colours[i]
        if colour and not o and not colourless[n] and labels[n] in phrases.coloured:
            own.append(n)
            right.append(lexicon.COLOURS.index("grey" if colour == "gray" else colour))
    if own:
        sets = torch.stack([torch.stack([phrases.table[r[rng.integers(len(r))]] for r in phrases.coloured[labels[n]]]) for n in own])
        logits = 1.5 * scale * torch.einsum("nd,ncd->nc", image[own], sets)
        for n, c in enumerate(right):
            if lexicon.COLOURS[c] in GREYISH:
                for other in GREYISH - {lexicon.COLOURS[c]}:
                    logits[n, lexicon.COLOURS.index(other)] = -1e4
        parts["colour"] = 0.5 * F.cross_entropy(logits, torch.tensor(right))

    # Patches.
    side = SIZE // STRIDE
    centre = (torch.arange(side) + 0.5) / side
    px, py = centre.repeat(side)[None], centre.repeat_interleave(side)[None]
    boxed = torch.tensor([bool(part.boxed[i]) for _, part, i, _ in rows])
    x0, y0, x1, y1 = (boxes[:, i, None] for i in range(4))
    mx, my = 0.12 * (x1 - x0), 0.12 * (y1 - y0)
    on = (px > x0 + mx) & (px < x1 - mx) & (py > y0 + my) & (py < y1 - my) & boxed[:, None]
    beyond = (px < x0 - 0.06) | (px > x1 + 0.06) | (py < y0 - 0.06) | (py > y1 + 0.06)
    alone = torch.tensor([bool(part.complete[i]) and not part.others[i] for _, part, i, _ in rows])
    bare = (beyond & boxed[:, None] & alone[:, None]) | (torch.tensor([v == "background" for v in labels]) & shown)[:, None]
    at = torch.nonzero(on | bare)
    at = at[torch.from_numpy(rng.permutation(len(at))[:600])]
    sort = torch.where(on[at[:, 0], at[:, 1]], wanted[at[:, 0]], -1)
    parts["patch"] = label_loss(scale * patches[at[:, 0], at[:, 1]] @ table.T, sort, hidden[at[:, 0]], count)
    whole = torch.nonzero(told & ~boxed & (wanted >= 0))[:, 0]
    middle = patches.unflatten(1, (side, side))[whole, 1:-1, 1:-1].flatten(1, 2).mean(1)
    parts["middle"] = 0.4 * label_loss(scale * F.normalize(middle, dim=-1) @ table.T, wanted[whole], hidden[whole], count)

    # Boxes.
    there = boxed & ~off
    found = box[there, :4]
    parts["box"] = 2.0 * (1 - giou(found, boxes[there].clamp(-0.1, 1.1))).mean() + 4.0 * F.smooth_l1_loss(found, boxes[there].clamp(-0.1, 1.1), beta=0.05)
    crowded = torch.tensor([bool(part.others[i]) for _, part, i, _ in rows])  # off the middle of one object there may be another
    empty = (off & ~crowded) | torch.tensor([v == "background" for v in labels])
    known = there | empty
    parts["object"] = 0.3 * F.binary_cross_entropy_with_logits(box[known, 4], there[known].float())

    # Proposals, and what the patches of scenes show.
    cells = model.cells.numpy()
    owned, true, loose, weights, named = [], [], [], [], []
    for n, (where, objects) in enumerate(scenes):
        owner, weight = patch_targets(where, objects, cells)
        weights.append(weight)
        for cell in np.flatnonzero(owner >= 0):
            label, *corners = objects[owner[cell]]
            owned.append((n, cell))
            true.append(corners)
            named.append(phrases.order.get(label, -2))
        if where in NEGATIVE_SETS:
            loose += [(n, cell) for cell in np.flatnonzero(weight > 0)]
    sure = proposals[..., 4]
    no_object = torch.from_numpy(np.stack(weights).astype(np.float32))
    missed = (F.binary_cross_entropy_with_logits(sure, torch.zeros_like(sure), reduction="none") * sure.detach().sigmoid().pow(0.5) * no_object).sum()
    if owned:
        n, cell = torch.tensor(owned).T
        wanted_box = torch.tensor(true, dtype=torch.float32).clamp(-0.1, 1.1)
        overlap = giou(proposals[n, cell, :4], wanted_box)
        parts["proposal"] = 1.5 * (1 - overlap).mean()
        found_one = F.binary_cross_entropy_with_logits(sure[n, cell], overlap.detach().clamp(0, 1), reduction="sum")
        parts["any"] = 0.6 * (found_one + missed) / len(owned)
        known = torch.tensor(named)
        spots = [(*owned[i], named[i]) for i in torch.nonzero(known >= 0)[:, 0].tolist()]
        spots = [spots[i] for i in rng.permutation(len(spots))[:200]] + [(*loose[i], -1) for i in rng.permutation(len(loose))[:100]]
        n, cell, sort = torch.tensor(spots).T
        covered = torch.zeros(len(spots), len(table), dtype=torch.bool)
        covered[:, :count] = torch.where((sort >= 0)[:, None], phrases.near[sort.clamp(min=0)], False)
        parts["scene"] = label_loss(scale * scene_patches[n, cell] @ table.T, sort, covered, count)

    # Captions, each photo's against its own and some of others.
    photos = [n for n, (name, *_) in enumerate(rows) if name == "captioned"]
    if photos:
        captions = [rows[n][1].captions[rows[n][2]] for n in photos]
        said = [c[rng.integers(len(c))] for c in captions]
        pool = rows[photos[0]][1].captions
        said += [c[rng.integers(len(c))] for c in (pool[rng.integers(len(pool))] for _ in range(150))]
        at = [phrases.at.get(s) for s in said]
        good = [n for n in range(len(photos)) if at[n] is not None]
        bank = phrases.table[[a for a in at[:len(photos)] if a is not None] + [a for a in at[len(photos):] if a is not None]]
        parts["caption"] = 0.3 * F.cross_entropy(scale * image[[photos[n] for n in good]] @ bank.T, torch.arange(len(good)))

    # Names.
    real = torch.tensor([name != "rendered" and labels[n] != "background" for n, (name, *_) in enumerate(rows)])
    chances = judged[:, phrases.names].softmax(1)
    logits = scale * image @ phrases.table[phrases.name_rows].T
    parts["names"] = 0.5 * ((-(chances * logits.log_softmax(1)).sum(1) * chances.amax(1))[real]).mean()
    return parts


def build(weights):
    model = Tower()
    fc = model.load_imagenet(weights)
    model.fold()
    original = copy.deepcopy(model).eval()

    def classifier(x):
        for block in original.blocks[FROZEN:]:
            x = block(x)
        return F.linear(F.relu6(original.head(x)).mean((2, 3)), *fc)

    def heads(x):
        for i, block in enumerate(model.blocks[FROZEN:], FROZEN):
            x = block(x)
            if i == 10:
                middle = x
        return model.read(middle, x)

    model.heads = heads
    return model, classifier


def train(data: Path, checkpoint: Path, weights: Path, names, crops: int, permissive: bool = False, seed: int = 7):
    model, classifier = build(weights)
    for part in (model.stem, *model.blocks[:FROZEN]):
        part.requires_grad_(False)
    log_scale = torch.nn.Parameter(torch.tensor(math.log(16.0)))
    new = [p for n, p in model.named_parameters() if p.requires_grad and n.split(".")[0] in NEW]
    old = [p for n, p in model.named_parameters() if p.requires_grad and n.split(".")[0] not in NEW]
    groups = [{"params": old, "peak": 3e-4}, {"params": new, "peak": 1.2e-3}, {"params": [log_scale], "peak": 1e-3, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.03)
    average = {k: v.clone() for k, v in model.state_dict().items()}
    held = torch.load(checkpoint) if checkpoint.exists() else None
    seen, steps = 0, 0
    if held:
        model.load_state_dict(held["model"])
        average = held["average"]
        optimiser.load_state_dict(held["optimiser"])
        log_scale.data.fill_(held["log_scale"])
        seen, steps = held["seen"], held["steps"]
    model.to(memory_format=torch.channels_last)
    batches = Batches(data, lambda labels: Phrases(data, labels, names), permissive)
    print({name: len(part.labels) for name, part in batches.parts.items()}, len(batches.phrases.order), "labels", len(batches.phrases.names), "names",
          {c: sum(v == c for part in batches.parts.values() for v in part.colours) for c in lexicon.COLOURS}, flush=True)
    rng = np.random.default_rng([seed, steps])
    torch.manual_seed(seed + steps)
    saved = time.monotonic()
    bar = tqdm(total=crops, initial=seen, mininterval=30, unit="crop")
    shown = {}

    def save():
        torch.save({"model": model.state_dict(), "average": average, "optimiser": optimiser.state_dict(), "log_scale": log_scale.item(), "seen": seen, "steps": steps},
                   checkpoint.with_suffix(".new"))
        checkpoint.with_suffix(".new").replace(checkpoint)

    size = sum(PARTS[name] for name in batches.parts) + SCENES
    while seen < crops:
        share = seen / crops
        rate = min(1.0, (steps + 1) / 150) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        parts = losses(model, classifier, batches, rng, log_scale.exp().clamp(max=50))
        loss = sum(parts.values())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*old, *new], 2.0)
        optimiser.step()
        steps += 1
        with torch.no_grad():
            keep = min(0.997, 1 - 5 / (5 + steps))
            for kept, value in zip(average.values(), model.state_dict().values()):
                kept.lerp_(value, 1 - keep) if kept.is_floating_point() else kept.copy_(value)
        for name, part in parts.items():
            shown[name] = 0.98 * shown.get(name, part.item()) + 0.02 * part.item()
        seen += size
        bar.update(size)
        bar.set_postfix(refresh=False, scale=f"{log_scale.exp().item():.1f}", **{k: f"{v:.2f}" for k, v in shown.items()})
        if time.monotonic() - saved > 150 or seen >= crops:
            save()
            saved = time.monotonic()
    bar.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="the ImageNet classifier, efficientnet-lite0-57934424.pth")
    parser.add_argument("--names", type=Path, required=True, help="its 1,000 nouns, one a line")
    parser.add_argument("--crops", type=int, default=1_000_000, help="pictures seen in all; the learning rate falls to nothing by then")
    parser.add_argument("--permissive", action="store_true", help="only sources whose terms allow any use")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    train(args.data, args.checkpoint, args.weights, args.names.read_text().splitlines(), args.crops, args.permissive)
