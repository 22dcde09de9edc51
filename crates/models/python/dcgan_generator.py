"""The generator of DCGAN (Radford et al., arXiv 1511.06434)."""
from torch import nn


class DcganGenerator(nn.Module):
    """[N, latent, 1, 1], normally distributed, to [N, colors, 64, 64] in [-1, 1]."""

    def __init__(self, latent, channels, colors):
        super().__init__()
        layers, c_in = [], latent
        for factor in (8, 4, 2, 1):
            c_out = channels * factor
            stride, padding = (2, 1) if layers else (1, 0)
            conv = nn.ConvTranspose2d(c_in, c_out, 4, stride, padding, bias=False)
            layers += [conv, nn.BatchNorm2d(c_out), nn.ReLU()]
            c_in = c_out
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(c_in, colors, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, x):
        return self.main(x)
