"""Export: checkpoints become a model folder.

`python export.py IMAGE TEXT OUT` writes vision.onnx, text.onnx, tokenizer.json and manifest.toml. Weights are stored in 16 bits and cast back
in the graph; the difference to the PyTorch model is checked.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from text import CONTEXT, PAD, Text, pad, tokens
from tower import DIM, MEAN, SIZE, STD, Tower

# Of pairs of phrases: synonyms ("a lorry", "a truck"; "a pedestrian", "a person") lie above, different nouns ("a car", "a truck") below.
SYNONYMS = 0.54
TOLERANCE = 2e-2  # of unit-norm embeddings and boxes, for weights in 16 bits

MANIFEST = """name = "{name}"
description = "A small CLIP trained on real pictures: people, vehicles, animals, common objects"
licence = "{licence}"
origin = "trained by this project: tools/model"
{notice}
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
boxes = "boxes"
proposals = "proposals"
precision = "f32"

[text]
context_length = {context}
input = "input_ids"
output = "text_embeds"
pad_token = "{pad}"

[embedding]
width = {width}
logit_scale = {scale:.4f}
synonym_cosine = {synonyms}
"""


class Vision(nn.Module):
    def __init__(self, tower):
        super().__init__()
        self.tower = tower

    def forward(self, pixel_values):
        image, patches, box, proposals = self.tower(pixel_values)
        box, proposals = (torch.cat([b[..., :4], b[..., 4:].sigmoid()], -1) for b in (box, proposals))
        return F.normalize(image, dim=-1), F.normalize(patches, dim=-1), box, proposals


class Words(nn.Module):
    def __init__(self, text):
        super().__init__()
        self.text = text

    def forward(self, input_ids):
        return F.normalize(self.text(input_ids), dim=-1)


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


def export(image: Path, text: Path, out: Path, name: str, licence: str, notice: str):
    out.mkdir(parents=True, exist_ok=True)
    held = torch.load(image, map_location="cpu")
    tower = Tower().fold()
    tower.load_state_dict(held["average"])
    said = torch.load(text, map_location="cpu")
    tokenizer = Tokenizer.from_str(said["tokenizer"])
    words = Text(tokenizer.get_vocab_size())
    words.load_state_dict(said["model"])
    words.eval()
    picture = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    ids = pad(tokens(tokenizer, ["a blue bicycle", "a photo of a pedestrian in a red jacket"]))
    jobs = {
        "vision.onnx": (Vision(tower), picture, "pixel_values", ["image_embeds", "patch_embeds", "boxes", "proposals"], {0: "batch"}),
        "text.onnx": (Words(words), ids, "input_ids", ["text_embeds"], {0: "batch", 1: "tokens"}),
    }
    for file, (part, example, given, got, axes) in jobs.items():
        torch.onnx.export(part.eval(), (example,), out / file, input_names=[given], output_names=got, opset_version=17,
                          dynamic_axes={given: axes} | {g: {0: "batch"} for g in got}, dynamo=False)
        halve(out / file)
        session = onnxruntime.InferenceSession(out / file)
        for batch in (example, example[:1]):
            with torch.no_grad():
                expected = part(batch)
            expected = expected if isinstance(expected, tuple) else (expected,)
            worst = max(np.abs(f - e.numpy()).max() for f, e in zip(session.run(got, {given: batch.numpy()}), expected))
            assert worst < TOLERANCE, f"{file} differs from the model by {worst}"
        print(f"{file}: {(out / file).stat().st_size} bytes, differs by {worst:.1e}")
    tokenizer.save(str(out / "tokenizer.json"))
    hashes = {part: hashlib.sha256((out / file).read_bytes()).hexdigest()
              for part, file in (("vision", "vision.onnx"), ("text", "text.onnx"), ("tokenizer", "tokenizer.json"))}
    scale = min(50.0, float(np.exp(held["log_scale"])))
    (out / "manifest.toml").write_text(MANIFEST.format(name=name, licence=licence, notice=f'notice = "{notice}"\n' if notice else "", size=SIZE, mean=list(MEAN), std=list(STD),
                                                       context=CONTEXT, pad=PAD, width=DIM, scale=scale, synonyms=SYNONYMS, **hashes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--name", default="small")
    parser.add_argument("--licence", default="MIT OR Apache-2.0")
    parser.add_argument("--notice", default="")
    args = parser.parse_args()
    export(args.image, args.text, args.out, args.name, args.licence, args.notice)
