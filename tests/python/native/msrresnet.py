"""MSRResNet with the names of BasicSR."""
import math

import torch
from torch import nn
from torch.nn import functional as F


class ResidualBlockNoBN(nn.Module):
    def __init__(self, num_feat, res_scale=1):
        super().__init__()
        self.res_scale = res_scale
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return x + self.conv2(self.relu(self.conv1(x))) * self.res_scale


class MSRResNet(nn.Module):
    def __init__(self, num_feat, num_block, upscale, colors=3):
        super().__init__()
        self.upscale = upscale
        self.conv_first = nn.Conv2d(colors, num_feat, 3, 1, 1)
        self.body = nn.Sequential(*[ResidualBlockNoBN(num_feat) for _ in range(num_block)])
        wide = num_feat * (9 if upscale == 3 else 4)
        self.upconv1 = nn.Conv2d(num_feat, wide, 3, 1, 1)
        if upscale == 4:
            self.upconv2 = nn.Conv2d(num_feat, wide, 3, 1, 1)
        self.pixel_shuffle = nn.PixelShuffle(math.isqrt(wide // num_feat))
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_last = nn.Conv2d(num_feat, colors, 3, 1, 1)
        self.lrelu = nn.LeakyReLU(0.1)

    def forward(self, x):
        out = self.body(self.lrelu(self.conv_first(x)))
        out = self.lrelu(self.pixel_shuffle(self.upconv1(out)))
        if self.upscale == 4:
            out = self.lrelu(self.pixel_shuffle(self.upconv2(out)))
        out = self.conv_last(self.lrelu(self.conv_hr(out)))
        return out + F.interpolate(x, scale_factor=self.upscale, mode="bilinear", align_corners=False)


def case(scale, blocks, channels, colors, save):
    return {
        "name": f"msrresnet_x{scale}", "module": MSRResNet(channels, blocks, scale, colors), "layout": "basicsr",
        "config": {"msrresnet": {"scale": scale, "blocks": blocks, "channels": channels, "colors": colors}},
        "shape": [2, colors, 6, 5], "save": save,
    }


CASES = [
    case(4, 16, 64, 3, lambda state: {"params": state}),
    case(3, 3, 12, 1, lambda state: {"params": {name: torch.zeros_like(t) for name, t in state.items()}, "params_ema": state}),
    case(2, 2, 9, 3, lambda state: {f"module.{name}": tensor for name, tensor in state.items()}),
]
