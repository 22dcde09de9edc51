"""RCAN with the names of BasicSR and, from spandrel, of the paper's code."""
import torch
from spandrel.architectures.RCAN import RCAN
from torch import nn

MEAN = (0.4488, 0.4371, 0.4040)


class ChannelAttention(nn.Module):
    def __init__(self, n, squeeze_factor):
        super().__init__()
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(n, n // squeeze_factor, 1), nn.ReLU(inplace=True),
            nn.Conv2d(n // squeeze_factor, n, 1), nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.attention(x)


class RCAB(nn.Module):
    def __init__(self, n, squeeze_factor):
        super().__init__()
        self.rcab = nn.Sequential(
            nn.Conv2d(n, n, 3, 1, 1), nn.ReLU(True), nn.Conv2d(n, n, 3, 1, 1), ChannelAttention(n, squeeze_factor)
        )

    def forward(self, x):
        return self.rcab(x) + x


class ResidualGroup(nn.Module):
    def __init__(self, n, blocks, squeeze_factor):
        super().__init__()
        self.residual_group = nn.Sequential(*[RCAB(n, squeeze_factor) for _ in range(blocks)])
        self.conv = nn.Conv2d(n, n, 3, 1, 1)

    def forward(self, x):
        return self.conv(self.residual_group(x)) + x


class BasicSr(nn.Module):
    """Of x3."""

    def __init__(self, groups, blocks, n, squeeze_factor):
        super().__init__()
        self.conv_first = nn.Conv2d(3, n, 3, 1, 1)
        self.body = nn.Sequential(*[ResidualGroup(n, blocks, squeeze_factor) for _ in range(groups)])
        self.conv_after_body = nn.Conv2d(n, n, 3, 1, 1)
        self.upsample = nn.Sequential(nn.Conv2d(n, 9 * n, 3, 1, 1), nn.PixelShuffle(3))
        self.conv_last = nn.Conv2d(n, 3, 3, 1, 1)

    def forward(self, x):
        mean = torch.tensor(MEAN).view(1, 3, 1, 1)
        x = self.conv_first((x - mean) * 255.0)
        x = self.conv_last(self.upsample(self.conv_after_body(self.body(x)) + x))
        return x / 255.0 + mean


def case(name, module, layout, config, save=lambda state: state):
    keys = ["scale", "groups", "blocks", "channels", "reduction", "unshuffle"]
    # spandrel's network changes its input.
    return {
        "name": name, "module": module, "layout": layout, "config": {"rcan": dict(zip(keys, config))},
        "shape": [2, 3, 8, 4], "save": save, "run": lambda module, x: module(x.clone()),
    }


def paper(scale, groups, blocks, channels, reduction, unshuffle=False):
    return RCAN(
        scale=scale, n_resgroups=groups, n_resblocks=blocks, n_feats=channels, reduction=reduction, unshuffle_mod=unshuffle
    )


CASES = [
    case("rcan_basicsr", BasicSr(2, 3, 8, 2), "basicsr", [3, 2, 3, 8, 2, 1], lambda state: {"params_ema": state}),
    case("rcan_paper_x4", paper(4, 3, 2, 16, 4), "yulunzhang", [4, 3, 2, 16, 4, 1]),
    case("rcan_paper_x3", paper(3, 1, 1, 6, 3), "yulunzhang", [3, 1, 1, 6, 3, 1]),
    case("rcan_unshuffle_x2", paper(2, 1, 2, 8, 2, True), "yulunzhang", [2, 1, 2, 8, 2, 2]),
    case("rcan_unshuffle_x1", paper(1, 2, 1, 5, 1, True), "yulunzhang", [1, 2, 1, 5, 1, 4]),
]
