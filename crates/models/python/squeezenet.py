"""SqueezeNet 1.0 and 1.1 (Iandola et al., arXiv 1602.07360)."""
import torch
from torch import nn


class Fire(nn.Module):
    def __init__(self, c_in, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(c_in, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


class SqueezeNet(nn.Module):
    """[N, 3, h, w], at least 21x21 (version "1.1": 17x17), normalised by ImageNet's mean and deviation, to scores [N, classes]."""

    def __init__(self, version, classes):
        super().__init__()
        c_in, kernel, pools = {"1.0": (96, 7, (2, 6, 11)), "1.1": (64, 3, (2, 5, 8))}[version]
        layers = [nn.Conv2d(3, c_in, kernel, 2), nn.ReLU()]
        for i in range(8):
            squeeze = 16 * (i // 2 + 1)
            if len(layers) in pools:
                layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            layers.append(Fire(c_in, squeeze, 4 * squeeze))
            c_in = 8 * squeeze
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(c_in, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def forward(self, x):
        return self.classifier(self.features(x)).flatten(1)
