"""The networks as a PyTorch user writes them, with the names that Abbe's checkpoints have."""
import torch
from torch import nn
from torch.nn import functional as F


def bicubic(lr, scale):
    """MATLAB's bicubic (a = -0.5, which PyTorch uses with antialias only), with a replicated border."""
    wide = F.interpolate(F.pad(lr, (2, 2, 2, 2), mode="replicate"), scale_factor=scale, mode="bicubic", antialias=True)
    return wide[..., 2 * scale:-2 * scale, 2 * scale:-2 * scale]


class Srcnn(nn.Module):
    def __init__(self, kernels, channels, scale):
        super().__init__()
        widths = [3, *channels, 3]
        for i, k in enumerate(kernels):
            setattr(self, f"conv{i + 1}", nn.Conv2d(widths[i], widths[i + 1], k, padding=k // 2))
        self.scale = scale

    def forward(self, lr):
        x = bicubic(lr, self.scale)
        return self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x)))))


class Block(nn.Module):
    def __init__(self, channels, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        if norm:
            self.bn1 = nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
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
    def __init__(self, blocks, channels, norm=True, skip=False, bicubic_input=False, scale=4):
        super().__init__()
        self.skip, self.bicubic_input, self.scale = skip, bicubic_input, scale
        self.head = nn.Sequential(nn.Conv2d(3 * scale**2 if bicubic_input else 3, channels, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*[Block(channels, norm) for _ in range(blocks)])
        fuse = [nn.Conv2d(channels, channels, 3, padding=1)]
        self.fuse = nn.Sequential(*fuse, nn.BatchNorm2d(channels)) if norm else nn.Sequential(*fuse)
        self.upsample = nn.Sequential(*[Upsample(channels) for _ in range(scale.bit_length() - 1)])
        self.tail = nn.Conv2d(channels, 3, 9, padding=4)

    def forward(self, lr):
        h = self.head(F.pixel_unshuffle(bicubic(lr, self.scale), self.scale) if self.bicubic_input else lr)
        sr = self.tail(self.upsample(self.fuse(self.body(h)) + h))
        return sr + bicubic(lr, self.scale) if self.skip else sr


class Discriminator(nn.Module):
    def __init__(self, patch, channels):
        super().__init__()
        layers, c_in = [], 3
        for i in range(8):
            c_out = channels * 2 ** (i // 2)
            layers.append(nn.Conv2d(c_in, c_out, 3, 1 + i % 2, 1, bias=i == 0))
            layers += [nn.BatchNorm2d(c_out)] * (i > 0) + [nn.LeakyReLU(0.2)]
            c_in = c_out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(c_in * (patch // 16) ** 2, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 1))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def vgg11():
    """The convolutions of torchvision's VGG-11 under its names."""
    layers, c_in = [], 3
    for width in [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]:
        if width == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(c_in, width, 3, padding=1), nn.ReLU()]
            c_in = width
    module = nn.Module()
    module.features = nn.Sequential(*layers)
    return module
