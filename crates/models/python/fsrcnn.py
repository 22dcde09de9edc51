"""FSRCNN (Dong et al., arXiv 1608.00367)."""
from torch import nn


def layer(c_in, c_out, kernel):
    return [nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2), nn.PReLU(c_out)]


class Fsrcnn(nn.Module):
    """[N, colors, h, w] in [0, 1] to [N, colors, h * scale, w * scale]."""

    def __init__(self, scale, channels, shrunk, mappings, colors):
        super().__init__()
        self.first_part = nn.Sequential(*layer(colors, channels, 5))
        middle = layer(channels, shrunk, 1)
        for _ in range(mappings):
            middle += layer(shrunk, shrunk, 3)
        self.mid_part = nn.Sequential(*middle, *layer(shrunk, channels, 1))
        self.last_part = nn.ConvTranspose2d(channels, colors, 9, scale, padding=4, output_padding=scale - 1)

    def forward(self, lr):
        return self.last_part(self.mid_part(self.first_part(lr)))
