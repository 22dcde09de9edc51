"""The discriminator of SRGAN (Ledig et al., arXiv 1609.04802)."""
from torch import nn


class Discriminator(nn.Module):
    """[N, 3, patch, patch] in [0, 1] to logits [N, 1]."""

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
