"""RCAN (Zhang et al., arXiv 1807.02758)."""
import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, channels, reduction):
        super().__init__()
        squeeze, excite = nn.Conv2d(channels, channels // reduction, 1), nn.Conv2d(channels // reduction, channels, 1)
        self.attention = nn.Sequential(nn.AdaptiveAvgPool2d(1), squeeze, nn.ReLU(), excite, nn.Sigmoid())

    def forward(self, x):
        return x * self.attention(x)


class Block(nn.Module):
    def __init__(self, channels, reduction):
        super().__init__()
        convs = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)]
        self.rcab = nn.Sequential(convs[0], nn.ReLU(), convs[1], Attention(channels, reduction))

    def forward(self, x):
        return x + self.rcab(x)


class Group(nn.Module):
    def __init__(self, blocks, channels, reduction):
        super().__init__()
        self.residual_group = nn.Sequential(*[Block(channels, reduction) for _ in range(blocks)])
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return x + self.conv(self.residual_group(x))


class Upsample(nn.Sequential):
    def __init__(self, channels, scale):
        factor, count = (3, 1) if scale == 3 else (2, scale.bit_length() - 1)
        layers = []
        for _ in range(count):
            layers += [nn.Conv2d(channels, channels * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
        super().__init__(*layers)


class Rcan(nn.Module):
    """[N, 3, h, w], RGB in [0, 1], to [N, 3, h * scale, w * scale]."""

    def __init__(self, scale, groups, blocks, channels, reduction, unshuffle=1):
        super().__init__()
        self.scale, self.unshuffle = scale, unshuffle
        self.mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
        self.conv_first = nn.Conv2d(3 * unshuffle**2, channels, 3, padding=1)
        self.body = nn.Sequential(*[Group(blocks, channels, reduction) for _ in range(groups)])
        self.conv_after_body = nn.Conv2d(channels, channels, 3, padding=1)
        self.upsample = Upsample(channels, scale * unshuffle)
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, lr):
        mean = self.mean.to(lr)
        h, w = lr.shape[-2:]
        x = F.pad((lr - mean) * 255, (0, -w % self.unshuffle, 0, -h % self.unshuffle), mode="replicate")
        x = self.conv_first(F.pixel_unshuffle(x, self.unshuffle))
        x = x + self.conv_after_body(self.body(x))
        return (self.conv_last(self.upsample(x)) / 255 + mean)[..., : h * self.scale, : w * self.scale]
