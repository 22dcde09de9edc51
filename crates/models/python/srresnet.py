"""SRResNet, the generator of SRGAN (Ledig et al., arXiv 1609.04802)."""
import torch
from torch import nn
from torch.nn import functional as F


def bicubic(lr, scale):
    """MATLAB's bicubic (a = -0.5, which PyTorch uses with antialias only), with a replicated border."""
    wide = F.interpolate(F.pad(lr, (2, 2, 2, 2), mode="replicate"), scale_factor=scale, mode="bicubic", antialias=True)
    return wide[..., 2 * scale:-2 * scale, 2 * scale:-2 * scale]


class Block(nn.Module):
    def __init__(self, channels, norm, bias):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
        if norm:
            self.bn1 = nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
        if norm:
            self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        none = nn.Identity()
        y = self.prelu(getattr(self, "bn1", none)(self.conv1(x)))
        return x + getattr(self, "bn2", none)(self.conv2(y))


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.prelu = nn.PReLU()

    def forward(self, x):
        return self.prelu(F.pixel_shuffle(self.conv(x), 2))


class SrResNet(nn.Module):
    """[N, 3, h, w], RGB in [0, 1], to [N, 3, h * scale, w * scale]."""

    def __init__(self, scale, blocks, channels, norm, input, bicubic_skip, conv_bias=True, output="linear"):
        super().__init__()
        self.output = output
        self.scale, self.bicubic_input, self.bicubic_skip = scale, input == "bicubic", bicubic_skip
        c_in = 3 * scale**2 if self.bicubic_input else 3
        self.head = nn.Sequential(nn.Conv2d(c_in, channels, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*[Block(channels, norm == "batch", conv_bias) for _ in range(blocks)])
        fuse = [nn.Conv2d(channels, channels, 3, padding=1, bias=conv_bias)] + [nn.BatchNorm2d(channels)] * (norm == "batch")
        self.fuse = nn.Sequential(*fuse)
        self.upsample = nn.Sequential(*[Upsample(channels) for _ in range(scale.bit_length() - 1)])
        self.tail = nn.Conv2d(channels, 3, 9, padding=4)

    def forward(self, lr):
        h = self.head(F.pixel_unshuffle(bicubic(lr, self.scale), self.scale) if self.bicubic_input else lr)
        sr = self.tail(self.upsample(self.fuse(self.body(h)) + h))
        sr = sr + bicubic(lr, self.scale) if self.bicubic_skip else sr
        if self.output == "tanh":
            return (torch.tanh(sr) + 1) / 2
        return sr.clamp(0, 1) if self.output == "clamp" else sr
