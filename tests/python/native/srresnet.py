"""SRResNet with the names of leftthomas' and of Lornatang's projects."""
import torch
from torch import nn


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        return x + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))


class UpsampleBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(2)
        self.prelu = nn.PReLU()

    def forward(self, x):
        return self.prelu(self.pixel_shuffle(self.conv(x)))


class Leftthomas(nn.Module):
    def __init__(self, doublings, n=64):
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(3, n, 9, padding=4), nn.PReLU())
        for i in range(2, 7):
            setattr(self, f"block{i}", ResidualBlock(n))
        self.block7 = nn.Sequential(nn.Conv2d(n, n, 3, padding=1), nn.BatchNorm2d(n))
        self.block8 = nn.Sequential(*[UpsampleBlock(n) for _ in range(doublings)], nn.Conv2d(n, 3, 9, padding=4))

    def forward(self, x):
        first = body = self.block1(x)
        for i in range(2, 8):
            body = getattr(self, f"block{i}")(body)
        return (torch.tanh(self.block8(first + body)) + 1) / 2


class Rcb(nn.Module):
    def __init__(self, n):
        super().__init__()
        conv = [nn.Conv2d(n, n, 3, padding=1, bias=False) for _ in range(2)]
        self.rcb = nn.Sequential(conv[0], nn.BatchNorm2d(n), nn.PReLU(), conv[1], nn.BatchNorm2d(n))

    def forward(self, x):
        return x + self.rcb(x)


class Upsampling(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.upsample_block = nn.Sequential(nn.Conv2d(n, 4 * n, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())

    def forward(self, x):
        return self.upsample_block(x)


class Lornatang(nn.Module):
    def __init__(self, n, blocks, doublings):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, n, 9, padding=4), nn.PReLU())
        self.trunk = nn.Sequential(*[Rcb(n) for _ in range(blocks)])
        self.conv2 = nn.Sequential(nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n))
        self.upsampling = nn.Sequential(*[Upsampling(n) for _ in range(doublings)])
        self.conv3 = nn.Conv2d(n, 3, 9, padding=4)

    def forward(self, x):
        first = self.conv1(x)
        return self.conv3(self.upsampling(first + self.conv2(self.trunk(first)))).clamp(0, 1)


def config(scale, blocks, channels, conv_bias, output):
    keys = {"scale": scale, "blocks": blocks, "channels": channels, "norm": "batch", "input": "lr"}
    return {"srresnet": keys | {"bicubic_skip": False, "conv_bias": conv_bias, "output": output}}


CASES = [
    {
        "name": "srresnet_leftthomas", "module": Leftthomas(doublings=2), "layout": "leftthomas",
        "config": config(4, 5, 64, True, "tanh"), "shape": [1, 3, 7, 6],
    },
    {
        "name": "srresnet_lornatang", "module": Lornatang(n=12, blocks=3, doublings=3), "layout": "lornatang",
        "config": config(8, 3, 12, False, "clamp"), "shape": [2, 3, 5, 4],
        "save": lambda state: {
            "epoch": 1, "psnr": 20.0, "ssim": 0.5, "state_dict": state, "optimizer": {"state": {}, "param_groups": []},
            "ema_state_dict": {"n_averaged": torch.tensor(3), **{f"module.{name}": t for name, t in state.items()}},
        },
    },
]
