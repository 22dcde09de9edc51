"""EDSR with the names of BasicSR and of EDSR-PyTorch."""
import torch
from torch import nn

MEAN = (0.4488, 0.4371, 0.4040)


def upsampler(n, scale):
    steps = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
    return nn.Sequential(*[layer for s in steps for layer in (nn.Conv2d(n, n * s * s, 3, 1, 1), nn.PixelShuffle(s))])


class ResidualBlockNoBN(nn.Module):
    def __init__(self, n, res_scale):
        super().__init__()
        self.res_scale = res_scale
        self.conv1 = nn.Conv2d(n, n, 3, 1, 1)
        self.conv2 = nn.Conv2d(n, n, 3, 1, 1)

    def forward(self, x):
        return x + self.conv2(torch.relu(self.conv1(x))) * self.res_scale


class BasicSr(nn.Module):
    def __init__(self, scale, blocks, n, res_scale):
        super().__init__()
        self.conv_first = nn.Conv2d(3, n, 3, 1, 1)
        self.body = nn.Sequential(*[ResidualBlockNoBN(n, res_scale) for _ in range(blocks)])
        self.conv_after_body = nn.Conv2d(n, n, 3, 1, 1)
        self.upsample = upsampler(n, scale)
        self.conv_last = nn.Conv2d(n, 3, 3, 1, 1)

    def forward(self, x):
        mean = torch.tensor(MEAN).view(1, 3, 1, 1)
        x = self.conv_first((x - mean) * 255.0)
        x = self.conv_last(self.upsample(self.conv_after_body(self.body(x)) + x))
        return x / 255.0 + mean


class MeanShift(nn.Conv2d):
    def __init__(self, sign):
        super().__init__(3, 3, kernel_size=1)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.bias.data = sign * 255 * torch.tensor(MEAN)


class ResBlock(nn.Module):
    def __init__(self, n, res_scale):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(n, n, 3, padding=1), nn.ReLU(True), nn.Conv2d(n, n, 3, padding=1))
        self.res_scale = res_scale

    def forward(self, x):
        return self.body(x).mul(self.res_scale) + x


class EdsrPyTorch(nn.Module):
    def __init__(self, scale, blocks, n, res_scale):
        super().__init__()
        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(1)
        self.head = nn.Sequential(nn.Conv2d(3, n, 3, padding=1))
        body = [ResBlock(n, res_scale) for _ in range(blocks)]
        self.body = nn.Sequential(*body, nn.Conv2d(n, n, 3, padding=1))
        self.tail = nn.Sequential(upsampler(n, scale), nn.Conv2d(n, 3, 3, padding=1))

    def forward(self, x):
        x = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(self.body(x) + x))


def case(name, module, layout, scale, blocks, channels, res_scale, **more):
    return more | {
        "name": name, "module": module(scale, blocks, channels, res_scale), "layout": layout, "shape": [2, 3, 5, 6],
        "config": {"edsr": {"scale": scale, "blocks": blocks, "channels": channels, "res_scale": res_scale}},
        "hints": {"res_scale": res_scale},
    }


def in_bytes(module, x):
    """EDSR-PyTorch's networks take and give values of 0 to 255."""
    return module(x * 255) / 255


CASES = [
    case("edsr_basicsr_x4", BasicSr, "basicsr", 4, 3, 12, 0.1, save=lambda state: {"params": state}),
    case("edsr_basicsr_x3", BasicSr, "basicsr", 3, 2, 7, 1.0, save=lambda state: {"params": state}),
    case("edsr_pytorch_x2", EdsrPyTorch, "edsr-pytorch", 2, 2, 9, 0.1, run=in_bytes),
    case("edsr_pytorch_x3", EdsrPyTorch, "edsr-pytorch", 3, 4, 6, 1.0, run=in_bytes),
    case("edsr_pytorch_x8", EdsrPyTorch, "edsr-pytorch", 8, 1, 5, 0.5, run=in_bytes),
]
