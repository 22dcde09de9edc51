"""EDSR (Lim et al., arXiv 1707.02921)."""
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, channels, res_scale):
        super().__init__()
        self.res_scale = res_scale
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(torch.relu(self.conv1(x))) * self.res_scale


class Upsample(nn.Sequential):
    def __init__(self, channels, scale):
        factor, count = (3, 1) if scale == 3 else (2, scale.bit_length() - 1)
        layers = []
        for _ in range(count):
            layers += [nn.Conv2d(channels, channels * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
        super().__init__(*layers)


class Edsr(nn.Module):
    """[N, 3, h, w], RGB in [0, 1], to [N, 3, h * scale, w * scale]."""

    def __init__(self, scale, blocks, channels, res_scale):
        super().__init__()
        self.mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
        self.conv_first = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*[Block(channels, res_scale) for _ in range(blocks)])
        self.conv_after_body = nn.Conv2d(channels, channels, 3, padding=1)
        self.upsample = Upsample(channels, scale)
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, lr):
        mean = self.mean.to(lr)
        x = self.conv_first((lr - mean) * 255)
        x = x + self.conv_after_body(self.body(x))
        return self.conv_last(self.upsample(x)) / 255 + mean
