"""Evaluation: the exported model on crops that it has never seen.

`python evaluate.py MODEL_DIR [--data DIR | --seed S --count N] [--json]` uses ONNX Runtime and Pillow, nothing of the
training code but the drawing of crops.
"""

import argparse
import json
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

import crops
from palette import COLOURS
from things import COLOURLESS, NOUNS

NEGATIVES = ["an empty street", "a road", "a building", "a wall", "the sky", "trees", "grass", "a fence", "background", "nothing"]
UNSEEN_SEED = 9001


class Model:
    """The exported towers."""

    def __init__(self, folder: Path):
        self.manifest = tomllib.loads((folder / "manifest.toml").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self.vision = onnxruntime.InferenceSession(folder / "vision.onnx", options)
        self.text = onnxruntime.InferenceSession(folder / "text.onnx", options)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.scale = self.manifest["embedding"]["logit_scale"]

    def images(self, pictures):
        """(N, S, S, 3) uint8 to (N, width) unit-norm embeddings."""
        spec = self.manifest["image"]
        size, mean, std = spec["size"], np.array(spec["mean"], np.float32), np.array(spec["std"], np.float32)
        found = []
        for start in range(0, len(pictures), 128):
            batch = np.stack([np.asarray(Image.fromarray(p).resize((size, size), Image.BICUBIC)) for p in pictures[start:start + 128]])
            values = ((batch / np.float32(255) - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
            found.append(self.vision.run(None, {"pixel_values": values})[0])
        found = np.concatenate(found)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def texts(self, phrases):
        """Phrases to (N, width) unit-norm embeddings."""
        found = np.concatenate([self.text.run(None, {"input_ids": np.array([self.tokenizer.encode(p).ids])})[0] for p in phrases])
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def evaluate(folder: Path, pixels, labels) -> dict:
    """Accuracies in 0..1 and false alarms per 1,000 background tiles at 95 % recall."""
    model = Model(folder)
    images = model.images(pixels)
    noun, colour = labels[:, 0], labels[:, 1]
    things, coloured = noun >= 0, colour >= 0
    nouns = model.texts([f"a photo of {article(n)}" for n in NOUNS])
    noun_found = (images @ nouns.T).argmax(1)
    pairs = model.texts([article(f"{c} {n}") for n in NOUNS for c in COLOURS]).reshape(len(NOUNS), len(COLOURS), -1)
    given = np.einsum("nd,ncd->nc", images[coloured], pairs[noun[coloured]]).argmax(1)
    alone = (images[coloured] @ model.texts([f"something {c}" for c in COLOURS]).T).argmax(1)
    kept = [n for n in range(len(NOUNS)) if NOUNS[n] not in COLOURLESS]
    both = (images[coloured] @ pairs[kept].reshape(-1, pairs.shape[-1]).T).argmax(1)
    truth = np.array([kept.index(n) for n in noun[coloured]]) * len(COLOURS) + colour[coloured]
    empty = model.texts(NEGATIVES)
    # A softmax of each noun against the empty street, as lookout scores a tile.
    against = np.exp(model.scale * (images @ empty.T)).sum(1, keepdims=True)
    own = np.exp(model.scale * (images @ nouns.T))
    probability = own / (own + against)
    rates = []
    for n in range(len(NOUNS)):
        threshold = np.quantile(probability[noun == n, n], 0.05)
        rates.append(1000 * (probability[~things, n] >= threshold).mean())
    return {
        "crops": len(labels),
        "noun_top1": float((noun_found[things] == noun[things]).mean()),
        "colour_top1": float((given == colour[coloured]).mean()),
        "colour_alone_top1": float((alone == colour[coloured]).mean()),
        "pair_top1": float((both == truth).mean()),
        "false_alarms_per_1000": float(np.mean(rates)),
        "per_noun": {NOUNS[n]: round(float((noun_found[noun == n] == n).mean()), 3) for n in range(len(NOUNS))},
        "per_colour": {COLOURS[c]: round(float((given == c)[colour[coloured] == c].mean()), 3) for c in range(len(COLOURS))},
    }


def unseen(data: Path | None, seed: int, count: int):
    """Crops from a folder, or freshly rendered."""
    if data:
        return crops.load(data)
    with tempfile.TemporaryDirectory() as folder:
        crops.render(Path(folder), count, seed)
        return crops.load(Path(folder))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seed", type=int, default=UNSEEN_SEED)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = evaluate(args.model, *unseen(args.data, args.seed, args.count))
    if args.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:24} {value if not isinstance(value, float) else round(value, 4)}")
