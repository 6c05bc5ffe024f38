"""Evaluation: the exported model on crops that it has never seen.

`python evaluate.py MODEL_DIR [--seed S] [--count N] [--json]` renders test crops and judges them with ONNX Runtime and
Pillow, with nothing of the training code but the drawing of crops.
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
from captions import SAID, UNSEEN, UNSEEN_ORDER
from palette import COLOURS
from things import COLOURLESS, HELD_OUT, NOUNS, TRAITS

NEGATIVES = ["an empty street", "a road", "a building", "a wall", "the sky", "trees", "grass", "a fence", "background", "nothing"]
TEST_SEED, VALIDATION_SEED = 9001, 8001
SLICES = ["small", "hidden", "moving", "night", "rain", "jpeg", "lens", "edge", "shared"]
NAMED = [n for n in range(len(NOUNS)) if NOUNS[n] not in COLOURLESS]
COVERED, BARE = 0.5, 0.02


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
        """(N, S, S, 3) uint8 to unit-norm embeddings: pooled (N, width) and of patches (N, P, width)."""
        spec = self.manifest["image"]
        size, mean, std = spec["size"], np.array(spec["mean"], np.float32), np.array(spec["std"], np.float32)
        pooled, patches = [], []
        for start in range(0, len(pictures), 128):
            batch = np.stack([np.asarray(Image.fromarray(p).resize((size, size), Image.BICUBIC)) for p in pictures[start:start + 128]])
            values = ((batch / np.float32(255) - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
            whole, parts = self.vision.run([spec["output"], spec["patches"]], {spec["input"]: values})
            pooled.append(whole)
            patches.append(parts)
        return np.concatenate(pooled), np.concatenate(patches)

    def texts(self, phrases):
        """Phrases to (N, width) unit-norm embeddings."""
        found = np.concatenate([self.text.run(None, {"input_ids": np.array([self.tokenizer.encode(p).ids])})[0] for p in phrases])
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _mean(right) -> float:
    return float(np.mean(right)) if len(right) else float("nan")


class Judge:
    """What a model makes of sets of crops."""

    def __init__(self, model: Model):
        self.model = model
        self.nouns = model.texts([f"a photo of {article(n)}" for n in NOUNS])
        self.pairs = self._pairs("a {c} {n}")
        self.empty = model.texts(NEGATIVES)

    def _pairs(self, form):
        said = [form.format(c=c, n=n).replace("a orange", "an orange") for n in NOUNS for c in COLOURS]
        return self.model.texts(said).reshape(len(NOUNS), len(COLOURS), -1)

    def _pair_right(self, images, labels, pairs):
        """Whether the pair is the best of all 16 x 11."""
        best = (images @ pairs[NAMED].reshape(-1, pairs.shape[-1]).T).argmax(1)
        return best == np.array([NAMED.index(n) for n in labels[:, 0]]) * len(COLOURS) + labels[:, 1]

    def names(self, pixels, labels) -> dict:
        """Noun, colour and pair of crops with one thing; of two, either noun is right."""
        images, _ = self.model.images(pixels)
        noun, colour, other = labels[:, 0], labels[:, 1], labels[:, 5]
        things = noun >= 0
        coloured = things & (colour >= 0) & (other < 0)
        found = (images @ self.nouns.T).argmax(1)
        right = (found == noun) | (found == other)
        given = np.einsum("nd,ncd->nc", images[coloured], self.pairs[noun[coloured]]).argmax(1)
        result = {"noun": _mean(right[things])}
        if coloured.any():
            result |= {"colour": _mean(given == colour[coloured]), "pair": _mean(self._pair_right(images[coloured], labels[coloured], self.pairs))}
        return result

    def plain(self, pixels, labels, cover) -> dict:
        images, patches = self.model.images(pixels)
        noun, colour = labels[:, 0], labels[:, 1]
        things, coloured = noun >= 0, colour >= 0
        result = {"crops": len(labels), **self.names(pixels, labels)}
        found = (images @ self.nouns.T).argmax(1)
        alone = (images[coloured] @ self.model.texts([f"something {c}" for c in COLOURS]).T).argmax(1)
        given = np.einsum("nd,ncd->nc", images[coloured], self.pairs[noun[coloured]]).argmax(1)
        # A softmax of each noun against the empty street, as lookout scores a tile.
        against = np.exp(self.model.scale * (images @ self.empty.T)).sum(1, keepdims=True)
        own = np.exp(self.model.scale * (images @ self.nouns.T))
        probability = own / (own + against)
        rates = [1000 * (probability[~things, n] >= np.quantile(probability[noun == n, n], 0.05)).mean() for n in range(len(NOUNS))]
        result |= {
            "colour_alone": _mean(alone == colour[coloured]), "false_alarms_per_1000": float(np.mean(rates)),
            "per_noun": {NOUNS[n]: round(_mean((found == n)[noun == n]), 3) for n in range(len(NOUNS))},
            "per_colour": {COLOURS[c]: round(_mean((given == c)[colour[coloured] == c]), 3) for c in range(len(COLOURS))},
        }
        orders = {form: _mean(self._pair_right(images[coloured], labels[coloured], self._pairs(form))) for form in UNSEEN_ORDER}
        phrases = {}
        for phrase, means in UNSEEN.items():
            texts, index = self.nouns.copy(), NOUNS.index(means)
            texts[index] = self.model.texts([phrase])[0]
            phrases[phrase] = _mean((images[noun == index] @ texts.T).argmax(1) == index)
        result |= {"unseen_orders": orders, "unseen_phrases": phrases, "patches": self._patches(patches, labels, cover)}
        return result

    def _patches(self, patches, labels, cover) -> dict:
        """The noun of single patches on a thing, and how seldom a bare patch is taken for one."""
        side = int(patches.shape[1] ** 0.5)
        # The model sees the whole crop of 72 pixels at its own size: a patch is 18 / side cells.
        shares = np.stack([np.asarray(Image.fromarray(c).resize((side, side), Image.BOX)) for c in cover[:, 0]]).reshape(len(cover), -1) / 255
        image, patch = np.nonzero((shares > COVERED) & (labels[:, :1] >= 0))
        found = (patches[image, patch] @ self.nouns.T).argmax(1)
        bare_image, bare = np.nonzero((shares < BARE) & (labels[:, 5:6] < 0))
        logits = self.model.scale * (patches[bare_image, bare] @ np.concatenate([self.nouns, self.empty]).T)
        return {"noun": _mean(found == labels[image, 0]), "bare_as_thing": _mean(logits.argmax(1) < len(NOUNS))}

    def traits(self, pixels, labels) -> dict:
        """Each trait against the thing without it and with its other traits; crops with and without it."""
        images, _ = self.model.images(pixels)
        result = {}
        for noun, traits in TRAITS.items():
            index = NOUNS.index(noun)
            said = [SAID[noun, trait][0].replace("{2} ", "").format(noun) for trait in traits]
            texts = self.model.texts([article(noun)] + [article(words).replace("a umbrella", "an umbrella") for words in said])
            of = labels[:, 0] == index
            found = (images[of] @ texts.T).argmax(1) - 1
            for t, trait in enumerate(traits):
                result[f"{noun}, {trait}"] = _mean(found[labels[of, 2] == t] == t)
            without = found[labels[of, 2] < 0]
            result[f"{noun} without"] = _mean(without == -1)
        return result

    def second_colour(self, pixels, labels) -> float:
        """The colour of an umbrella or a backpack, of eleven."""
        images, _ = self.model.images(pixels)
        right = []
        for t, trait in enumerate(TRAITS["person"][:2]):
            of = (labels[:, 0] == NOUNS.index("person")) & (labels[:, 2] == t)
            texts = self.model.texts([f"a person with a {c} {trait}" for c in COLOURS])
            right += list((images[of] @ texts.T).argmax(1) == labels[of, 3])
        return _mean(right)


def evaluate(folder: Path, seed: int, count: int) -> dict:
    """All figures of the model card: accuracies 0..1, and false alarms per 1,000 background tiles at 95 % recall."""
    judge = Judge(Model(folder))
    result = judge.plain(*unseen("plain", seed, count))
    pixels, labels, _ = unseen("held_out", seed + 1, count // 2)
    result["held_out"] = {"pairs": len(HELD_OUT), **judge.names(pixels, labels)}
    result["slices"] = {name: judge.names(*unseen(name, seed + 2 + i, count // 6)[:2]) for i, name in enumerate(SLICES)}
    pixels, labels, _ = unseen("traits", seed + 50, count)
    result["traits"] = judge.traits(pixels, labels)
    result["umbrella_or_backpack_colour"] = judge.second_colour(pixels, labels)
    return result


def unseen(recipe: str, seed: int, count: int):
    """Freshly rendered crops of a recipe."""
    with tempfile.TemporaryDirectory() as folder:
        crops.render(Path(folder), count, seed, names=(recipe,), quiet=True)
        return crops.load(Path(folder))


def _show(result: dict, indent: str = ""):
    for key, value in result.items():
        if isinstance(value, dict):
            print(f"{indent}{key}:")
            _show(value, indent + "  ")
        else:
            print(f"{indent}{key:32} {value if not isinstance(value, float) else round(value, 4)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seed", type=int, default=TEST_SEED, help=f"{TEST_SEED} is the test set, {VALIDATION_SEED} the validation set")
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = evaluate(args.model, args.seed, args.count)
    print(json.dumps(result)) if args.json else _show(result)
