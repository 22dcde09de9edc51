"""RRDBNet, the generator of ESRGAN (Wang et al., arXiv 1809.00219) and of Real-ESRGAN (Wang et al., arXiv 2107.10833)."""
import torch
from torch import nn
from torch.nn import functional as F


def conv(c_in, c_out):
    return nn.Conv2d(c_in, c_out, 3, padding=1)


def lrelu(x):
    return F.leaky_relu(x, 0.2)


def pad_to_multiple(x, multiple):
    """Mirrored at the bottom and the right, again and again where the picture is tiny."""
    for axis in (2, 3):
        size = x.shape[axis]
        place = torch.arange(-(-size // multiple) * multiple, device=x.device) % max(2 * size - 2, 1)
        x = x.index_select(axis, size - 1 - (place - size + 1).abs())
    return x


class DenseBlock(nn.Module):
    def __init__(self, channels, growth, plus):
        super().__init__()
        self.conv1x1 = nn.Conv2d(channels, growth, 1, bias=False) if plus else None
        for k in range(1, 6):
            setattr(self, f"conv{k}", conv(channels + (k - 1) * growth, growth if k < 5 else channels))

    def forward(self, x):
        x1 = lrelu(self.conv1(x))
        x2 = lrelu(self.conv2(torch.cat([x, x1], 1)))
        if self.conv1x1:
            x2 = x2 + self.conv1x1(x)
        x3 = lrelu(self.conv3(torch.cat([x, x1, x2], 1)))
        x4 = lrelu(self.conv4(torch.cat([x, x1, x2, x3], 1)))
        if self.conv1x1:
            x4 = x4 + x2
        return x + 0.2 * self.conv5(torch.cat([x, x1, x2, x3, x4], 1))


class Block(nn.Module):
    def __init__(self, *args):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = DenseBlock(*args), DenseBlock(*args), DenseBlock(*args)

    def forward(self, x):
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class RrdbNet(nn.Module):
    """[N, colors, h, w] in [0, 1] to [N, colors, h * scale, w * scale]."""

    def __init__(self, scale, blocks, channels, growth, unshuffle, colors, plus):
        super().__init__()
        self.scale, self.unshuffle = scale, unshuffle
        self.doublings = (scale * unshuffle).bit_length() - 1
        self.conv_first = conv(colors * unshuffle**2, channels)
        self.body = nn.Sequential(*[Block(channels, growth, plus) for _ in range(blocks)])
        self.conv_body = conv(channels, channels)
        for i in range(self.doublings):
            setattr(self, f"conv_up{i + 1}", conv(channels, channels))
        self.conv_hr = conv(channels, channels)
        self.conv_last = conv(channels, colors)

    def forward(self, lr):
        h, w = lr.shape[2:]
        x = self.conv_first(F.pixel_unshuffle(pad_to_multiple(lr, self.unshuffle), self.unshuffle))
        x = x + self.conv_body(self.body(x))
        for i in range(self.doublings):
            x = lrelu(getattr(self, f"conv_up{i + 1}")(F.interpolate(x, scale_factor=2, mode="nearest")))
        sr = self.conv_last(lrelu(self.conv_hr(x)))
        return sr[..., :h * self.scale, :w * self.scale]
