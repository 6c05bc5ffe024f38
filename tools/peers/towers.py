"""Towers: image towers of published CLIPs with random weights, exported as people have them.

`python towers.py OUT [--only NAME]` writes OUT/NAME/vision_model.onnx (float) and vision_model_quantized.onnx (what ONNX
Runtime's dynamic quantisation makes of it), with the file names of a Hugging Face export beside them, so that
`lookout bench --model OUT/NAME` finds its way. Weights are random, with a few channels far larger than the rest, as
real CLIP has them; `--outliers 100` makes them a hundred times the median.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModelWithProjection

# name: width, layers, heads, patch, projection, activation
TOWERS = {
    "tinyclip-8m-16": (256, 10, 4, 16, 512, "gelu"),
    "tinyclip-39m-16": (512, 12, 8, 16, 512, "gelu"),
    "vit-b-32": (768, 12, 12, 32, 512, "quick_gelu"),
}
SIDE = 224


class Embeds(nn.Module):
    """Only what the towers are for."""

    def __init__(self, model, name):
        super().__init__()
        self.model, self.name = model, name

    def forward(self, values):
        return getattr(self.model(values), self.name)


def outliers(model, times: float):
    """A few input channels of every norm become `times` as large, and the matrices behind them as much smaller."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for layer in model.vision_model.encoder.layers:
            for norm, readers in ((layer.layer_norm1, (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj)),
                                  (layer.layer_norm2, (layer.mlp.fc1,))):
                chosen = torch.randperm(len(norm.weight), generator=generator)[:3]
                norm.weight[chosen] *= times
                for reader in readers:
                    reader.weight[:, chosen] /= times
            # Single rows of weights that stand out make a scale for the whole matrix useless.
            rows = torch.randperm(layer.mlp.fc2.weight.shape[0], generator=generator)[:3]
            layer.mlp.fc2.weight[rows] *= times ** 0.5


def build(name: str, times: float):
    """An image tower in evaluation mode."""
    torch.manual_seed(1)
    width, layers, heads, patch, projection, activation = TOWERS[name]
    config = CLIPVisionConfig(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=heads,
                              image_size=SIDE, patch_size=patch, projection_dim=projection, hidden_act=activation)
    config._attn_implementation = "eager"
    model = CLIPVisionModelWithProjection(config).eval()
    # Initial weights are so small that every picture looks the same; trained ones are not.
    with torch.no_grad():
        for parameter in (p for n, p in model.named_parameters() if p.ndim == 2 and "layers" in n):
            nn.init.normal_(parameter, std=1.0 / parameter.shape[1] ** 0.5)
        # Nor are biases nothing and norms one: a graph without them would be simpler than any real one.
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn(parameter.shape)
    if times > 1:
        outliers(model, times)
    return model


def export(model, inputs, names, path: Path, output: str):
    axes = {names[0]: {0: "batch", **({1: "tokens"} if names[0] == "input_ids" else {})}, output: {0: "batch"}}
    torch.onnx.export(Embeds(model, output), inputs, path, input_names=names, output_names=[output], dynamic_axes=axes, opset_version=17,
                      dynamo=False)


def write(name: str, out: Path, times: float):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    projection = TOWERS[name][4]
    export(build(name, times), (torch.zeros(1, 3, SIDE, SIDE),), ["pixel_values"], folder / "vision_model.onnx", "image_embeds")
    quantize_dynamic(folder / "vision_model.onnx", folder / "vision_model_quantized.onnx", weight_type=QuantType.QInt8)
    text = CLIPTextConfig(vocab_size=600, hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2, projection_dim=projection)
    text._attn_implementation = "eager"
    export(CLIPTextModelWithProjection(text).eval(), (torch.ones(1, 8, dtype=torch.int64),), ["input_ids"], folder / "text_model.onnx", "text_embeds")
    # Not this text tower's; `bench` wants a whole folder, and reads no phrases.
    shutil.copy(Path(__file__).parents[2] / "models/demo/tokenizer.json", folder)
    (folder / "config.json").write_text(json.dumps({"projection_dim": projection, "text_config": {"max_position_embeddings": 77}, "vision_config": {"image_size": SIDE}}))
    (folder / "preprocessor_config.json").write_text(json.dumps({"crop_size": SIDE, "resample": 3}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=TOWERS, action="append")
    parser.add_argument("--outliers", type=float, default=1.0)
    args = parser.parse_args()
    for tower in args.only or TOWERS:
        print(tower)
        write(tower, args.out, args.outliers)
