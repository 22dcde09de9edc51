"""The discriminator of SRGAN (Ledig et al., arXiv 1609.04802) as leftthomas has it, for pictures of any size."""
from torch import nn


class LeftthomasDiscriminator(nn.Module):
    """[N, 3, h, w] in [0, 1] to logits [N, 1]."""

    def __init__(self, channels):
        super().__init__()
        layers, c_in = [], 3
        for i in range(8):
            c_out = channels * 2 ** (i // 2)
            layers.append(nn.Conv2d(c_in, c_out, 3, 1 + i % 2, 1))
            layers += [nn.BatchNorm2d(c_out)] * (i > 0) + [nn.LeakyReLU(0.2)]
            c_in = c_out
        layers += [nn.AdaptiveAvgPool2d(1), nn.Conv2d(c_in, 1024, 1), nn.LeakyReLU(0.2), nn.Conv2d(1024, 1, 1)]
        self.net = nn.Sequential(*layers)

    def forward(self, x):
        return self.net(x).flatten(1)
