"""The text tower: a small transformer over byte-pair pieces, taught to give the teacher's embeddings of short phrases.

`python text.py DATA CHECKPOINT` learns a vocabulary from DATA/phrases.txt and trains on DATA/teacher.npy; it goes on from CHECKPOINT.
"""

import argparse
import json
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from tower import DIM

VOCABULARY, CONTEXT, WIDTH, LAYERS, HEADS = 10_000, 48, 256, 3, 4
PAD, START, END = "<|pad|>", "<|startoftext|>", "<|endoftext|>"
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def learn(texts) -> Tokenizer:
    """A byte-level BPE; nothing is unknown to it. The pad token is number 0."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - 260, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    held = json.loads(tokenizer.to_str())
    merged = ["".join(pair) for pair in held["model"]["merges"]]
    tokens = [PAD, START, END] + alphabet + [symbol + "</w>" for symbol in alphabet] + merged
    held["model"]["vocab"] = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer.from_str(json.dumps(held))
    tokenizer.add_special_tokens([PAD, START, END])
    ids = {name: tokenizer.token_to_id(name) for name in (START, END)}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", pair=f"{START} $A $B {END}", special_tokens=[(START, ids[START]), (END, ids[END])])
    return tokenizer


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, bias):
        n, t, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).view(n, t, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(2, 3) * (WIDTH // HEADS) ** -0.5 + bias).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(n, t, WIDTH))
        return x + self.down(F.gelu(self.up(self.after(x))))


class Text(nn.Module):
    """Token ids (N, T), padded with 0, to embeddings (N, DIM) before normalisation: the mean over the tokens, projected."""

    def __init__(self, vocabulary):
        super().__init__()
        self.token, self.position = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        nn.init.normal_(self.token.weight, std=0.05)
        nn.init.normal_(self.position.weight, std=0.02)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm, self.project = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, DIM)

    def forward(self, ids):
        there = (ids != 0).float()
        bias = (there[:, None, None, :] - 1) * 1e4
        x = self.token(ids) + self.position.weight[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x, bias)
        x = self.norm(x) * there[..., None]
        return self.project(x.sum(1) / there.sum(1, keepdim=True))


def pad(rows):
    """(N, longest) int64."""
    longest = max(map(len, rows))
    return torch.tensor([row + [0] * (longest - len(row)) for row in rows])


def tokens(tokenizer, texts):
    return [encoding.ids[:CONTEXT] for encoding in tokenizer.encode_batch(texts)]


def train(data: Path, checkpoint: Path, epochs: float, batch: int = 512):
    texts = (data / "phrases.txt").read_text().splitlines()
    wanted = torch.from_numpy(np.load(data / "teacher.npy"))
    held = torch.load(checkpoint) if checkpoint.exists() else None
    tokenizer = Tokenizer.from_str(held["tokenizer"]) if held else learn(texts)
    model = Text(tokenizer.get_vocab_size())
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05)
    step = 0
    if held:
        model.load_state_dict(held["model"])
        optimiser.load_state_dict(held["optimiser"])
        step = held["step"]
    ids = tokens(tokenizer, texts)
    rng = random.Random(1)
    kept_out = set(rng.sample(range(len(texts)), 1500))
    order = sorted((i for i in range(len(texts)) if i not in kept_out), key=lambda i: len(ids[i]))
    batches = [order[at:at + batch] for at in range(0, len(order), batch)]
    total = int(epochs * len(batches))
    judged = sorted(kept_out)
    saved, bar = time.monotonic(), tqdm(total=total, initial=step, mininterval=20)

    def save():
        torch.save({"tokenizer": tokenizer.to_str(), "model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step}, checkpoint.with_suffix(".new"))
        checkpoint.with_suffix(".new").replace(checkpoint)

    while step < total:
        random.Random(step // len(batches)).shuffle(batches)
        chosen = batches[step % len(batches)]
        for group in optimiser.param_groups:
            group["lr"] = 1.5e-3 * min(1, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / total))
        given, target = F.normalize(model(pad([ids[i] for i in chosen])), dim=-1), wanted[chosen]
        logits = 20 * given @ target.T
        loss = 4 * (1 - (given * target).sum(1)).mean() + 0.2 * F.cross_entropy(logits, torch.arange(len(chosen)))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        bar.update()
        if time.monotonic() - saved > 60 or step == total:
            model.eval()
            with torch.no_grad():
                found = torch.cat([F.normalize(model(pad([ids[i] for i in judged[at:at + 250]])), dim=-1) for at in range(0, len(judged), 250)])
            model.train()
            bar.set_postfix(loss=f"{loss.item():.3f}", unseen=f"{(found * wanted[judged]).sum(1).mean():.4f}")
            save()
            saved = time.monotonic()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    train(args.data, args.checkpoint, args.epochs)
