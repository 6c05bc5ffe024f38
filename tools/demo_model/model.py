"""The model: Hugging Face's CLIPModel, small, with a convolutional stem in place of the patch projection.

The stem (Xiao et al. 2021, "Early convolutions help transformers see better") learns from far fewer pictures; so does a
pooled embedding that hears the patches beside the class token.
"""

import torch
from torch import nn
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from vocabulary import CONTEXT, END, START

SIZE, PATCH, WIDTH = 64, 8, 192
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


class Stem(nn.Sequential):
    """(N, 3, 64, 64) pictures to (N, WIDTH, 8, 8) patches. The norms are folded into the convolutions by `fold`."""

    def __init__(self):
        layers, before = [], 3
        for width, stride in ((32, 2), (64, 1), (96, 2), (WIDTH, 2)):
            layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.GELU()]
            before = width
        super().__init__(*layers, nn.Conv2d(before, WIDTH, 1))

    @property
    def weight(self):  # CLIPVisionEmbeddings asks for its projection's dtype
        return self[-1].weight

    def fold(self):
        """The same function without norms, for inference."""
        folded = []
        for layer in self:
            if isinstance(layer, nn.BatchNorm2d):
                folded[-1] = nn.utils.fusion.fuse_conv_bn_eval(folded[-1].eval(), layer.eval())
            else:
                folded.append(layer)
        stem = Stem.__new__(Stem)
        nn.Sequential.__init__(stem, *folded)
        return stem


class Pool(nn.Module):
    """Adds to the class token what the patches say, weighed by how much each has to say, in as many heads."""

    def __init__(self, heads: int = 4):
        super().__init__()
        self.weigh = nn.Linear(WIDTH, heads)
        nn.init.zeros_(self.weigh.weight)

    def forward(self, token, patches):
        weights = self.weigh(patches).softmax(1)  # (N, P, heads)
        parts = patches.unflatten(2, (weights.shape[2], -1)) * weights[..., None]
        return token + parts.sum(1).flatten(1)


def build(tokenizer) -> CLIPModel:
    """The untrained model for a tokenizer."""
    ids = {"bos_token_id": tokenizer.token_to_id(START), "eos_token_id": tokenizer.token_to_id(END), "pad_token_id": tokenizer.token_to_id(END)}
    text = CLIPTextConfig(vocab_size=tokenizer.get_vocab_size(), hidden_size=128, intermediate_size=512, num_hidden_layers=3,
                          num_attention_heads=4, max_position_embeddings=CONTEXT, projection_dim=128, hidden_act="gelu", **ids)
    vision = CLIPVisionConfig(hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=4, num_attention_heads=4,
                              image_size=SIZE, patch_size=PATCH, projection_dim=128,
                              hidden_act="gelu")
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=128)
    config._attn_implementation = "sdpa"
    model = CLIPModel(config)
    model.vision_model.embeddings.patch_embedding = Stem()
    model.pool = Pool()
    return model


def encode(tokenizer, captions: list[str]):
    """Token ids and attention mask, (N, longest) int64, padded as CLIP pads: with the end token."""
    rows = [encoding.ids[:CONTEXT] for encoding in tokenizer.encode_batch(captions)]
    longest, end = max(map(len, rows)), tokenizer.token_to_id(END)
    ids = torch.tensor([row + [end] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


def features(output):
    """The projected embedding out of what this version of transformers returns."""
    return output if torch.is_tensor(output) else output.pooler_output


def look(model, pictures):
    """Projected embeddings of pictures (N, 3, S, S): pooled (N, 128), and of every patch (N, P, 128). S may be any multiple of PATCH."""
    tower = model.vision_model
    seen = tower(pixel_values=pictures, interpolate_pos_encoding=pictures.shape[-1] != SIZE)
    patches = tower.post_layernorm(seen.last_hidden_state[:, 1:])
    return model.visual_projection(model.pool(seen.pooler_output, patches)), model.visual_projection(patches)
