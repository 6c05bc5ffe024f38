"""Export: a checkpoint becomes the files of models/demo.

`python export.py CHECKPOINT OUT` writes vision.onnx, text.onnx, tokenizer.json and manifest.toml. Weights are stored in
16 bits and cast back in the graph, which halves the files; the difference is checked against the PyTorch model.
"""

import argparse
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from tokenizers import Tokenizer
from torch import nn

from captions import corpus
from model import MEAN, SIZE, STD, build, encode, features, look
from things import NOUNS
from vocabulary import CONTEXT, END

TOLERANCE = 5e-3  # of unit-norm embeddings, for weights in 16 bits

MANIFEST = """name = "demo"
description = "A small CLIP that knows a rendered street: {nouns} things in eleven colours"
licence = "MIT OR Apache-2.0"
origin = "trained by this project: tools/demo_model"
notice = "The demo model knows its rendered world and is not meant for real cameras; for those, use a published model."

[files]
image = {{ path = "vision.onnx", sha256 = "{vision}" }}
text = {{ path = "text.onnx", sha256 = "{text}" }}
tokenizer = {{ path = "tokenizer.json", sha256 = "{tokenizer}" }}

[image]
size = {size}
mean = {mean}
std = {std}
interpolation = "bicubic"
input = "pixel_values"
output = "image_embeds"
patches = "patch_embeds"
precision = "f32"

[text]
context_length = {context}
input = "input_ids"
output = "text_embeds"
pad_token = "{pad}"
words = {words}

[embedding]
width = 128
logit_scale = {scale:.4f}
"""


class Vision(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return tuple(nn.functional.normalize(found, dim=-1) for found in look(self.model, pixel_values))


class Text(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids):
        return (nn.functional.normalize(features(self.model.get_text_features(input_ids=input_ids)), dim=-1),)


def words() -> list[str]:
    """Every word of the caption grammar, for the program to say which words of a prompt it does not know."""
    return sorted({word for caption in corpus() for word in re.split(r"[^0-9a-z]+", caption.lower()) if word})


def load(checkpoint: Path):
    """The averaged model of a checkpoint, with its tokenizer, for inference."""
    held = torch.load(checkpoint, map_location="cpu")
    tokenizer = Tokenizer.from_str(held["tokenizer"])
    model = build(tokenizer)
    model.load_state_dict(held["average"])
    model.eval()
    embeddings = model.vision_model.embeddings
    embeddings.patch_embedding = embeddings.patch_embedding.fold()
    model.set_attn_implementation("eager")
    return model, tokenizer


def halve(path: Path):
    """Stores large float32 weights as float16, cast back where they are used."""
    model = onnx.load(path)
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size > 64:
            name = weight.name
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + "_f16"))
            casts.append(helper.make_node("Cast", [name + "_f16"], [name], to=onnx.TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def export(checkpoint: Path, out: Path):
    out.mkdir(parents=True, exist_ok=True)
    model, tokenizer = load(checkpoint)
    picture = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    ids, _ = encode(tokenizer, ["a blue bicycle", "a photo of a pedestrian in a red jacket"])
    jobs = {
        "vision.onnx": (Vision(model), picture, "pixel_values", ["image_embeds", "patch_embeds"], {0: "batch"}),
        "text.onnx": (Text(model), ids, "input_ids", ["text_embeds"], {0: "batch", 1: "tokens"}),
    }
    for name, (tower, example, given, got, axes) in jobs.items():
        torch.onnx.export(tower, (example,), out / name, input_names=[given], output_names=got, opset_version=17,
                          dynamic_axes={given: axes} | {name: {0: "batch"} for name in got}, dynamo=False)
        halve(out / name)
        session = onnxruntime.InferenceSession(out / name)
        for batch in (example, example[:1]):
            expected, found = tower(batch), session.run(got, {given: batch.numpy()})
            worst = max(np.abs(f - e.detach().numpy()).max() for f, e in zip(found, expected))
            assert worst < TOLERANCE, f"{name} differs from the model by {worst}"
        print(f"{name}: {(out / name).stat().st_size} bytes, differs by {worst:.1e}")
    tokenizer.save(str(out / "tokenizer.json"))
    hashes = {part: hashlib.sha256((out / file).read_bytes()).hexdigest()
              for part, file in (("vision", "vision.onnx"), ("text", "text.onnx"), ("tokenizer", "tokenizer.json"))}
    (out / "manifest.toml").write_text(MANIFEST.format(
        nouns=len(NOUNS), size=SIZE, mean=list(MEAN), std=list(STD), context=CONTEXT, pad=END, words=json.dumps(words()),
        scale=min(60.0, model.logit_scale.exp().item()), **hashes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    export(args.checkpoint, args.out)
