"""The discriminator of DCGAN (Radford et al., arXiv 1511.06434)."""
from torch import nn


class DcganDiscriminator(nn.Module):
    """[N, colors, 64, 64] in [-1, 1] to logits [N, 1]."""

    def __init__(self, colors, channels):
        super().__init__()
        layers, c_in = [], colors
        for factor in (1, 2, 4, 8):
            c_out = channels * factor
            norm = [nn.BatchNorm2d(c_out)] if layers else []
            layers += [nn.Conv2d(c_in, c_out, 4, 2, 1, bias=False), *norm, nn.LeakyReLU(0.2)]
            c_in = c_out
        self.main = nn.Sequential(*layers, nn.Conv2d(c_in, 1, 4, 1, 0, bias=False))

    def forward(self, x):
        return self.main(x).flatten(1)
