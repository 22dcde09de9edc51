"""PatchGAN, the discriminator of pix2pix (Isola et al., arXiv 1611.07004)."""
from torch import nn


class PatchGanDiscriminator(nn.Module):
    """[N, colors, h, w] in [0, 1] to a logit for every patch, [N, 1, h / 8 - 2, w / 8 - 2] with 3 layers."""

    def __init__(self, colors, channels, layers):
        super().__init__()
        modules, c_in = [nn.Conv2d(colors, channels, 4, 2, 1), nn.LeakyReLU(0.2)], channels
        for i in range(1, layers + 1):
            c_out = channels * 2 ** min(i, 3)
            conv = nn.Conv2d(c_in, c_out, 4, 2 if i < layers else 1, 1, bias=False)
            modules += [conv, nn.BatchNorm2d(c_out), nn.LeakyReLU(0.2)]
            c_in = c_out
        self.model = nn.Sequential(*modules, nn.Conv2d(c_in, 1, 4, 1, 1))

    def forward(self, x):
        return self.model(x)
