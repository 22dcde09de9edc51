"""SRVGGNetCompact, Real-ESRGAN's small network (https://github.com/xinntao/Real-ESRGAN)."""
from torch import nn
from torch.nn import functional as F


def rectifier(activation, channels):
    return {"prelu": nn.PReLU(channels), "relu": nn.ReLU(), "leakyrelu": nn.LeakyReLU(0.1)}[activation]


class SrVggNetCompact(nn.Module):
    """[N, colors, h, w] in [0, 1] to [N, colors, h * scale, w * scale]."""

    def __init__(self, scale, convs, channels, activation, colors):
        super().__init__()
        self.scale = scale
        widths = [colors] + [channels] * (convs + 1)
        layers = []
        for c_in, c_out in zip(widths, widths[1:]):
            layers += [nn.Conv2d(c_in, c_out, 3, padding=1), rectifier(activation, channels)]
        self.body = nn.Sequential(*layers, nn.Conv2d(channels, colors * scale**2, 3, padding=1))

    def forward(self, lr):
        return F.pixel_shuffle(self.body(lr), self.scale) + F.interpolate(lr, scale_factor=self.scale, mode="nearest")
