"""SRCNN with the names of yjn870's and of Lornatang's projects; both work on a picture that is enlarged already."""
import torch
from torch import nn
from torch.nn import functional as F


def bicubic(lr, scale):
    wide = F.interpolate(F.pad(lr, (2, 2, 2, 2), mode="replicate"), scale_factor=scale, mode="bicubic", antialias=True)
    return wide[..., 2 * scale:-2 * scale, 2 * scale:-2 * scale]


class Yjn870(nn.Module):
    def __init__(self, colors=1, kernels=(9, 5, 5)):
        super().__init__()
        for i, (c_in, c_out, k) in enumerate(zip((colors, 64, 32), (64, 32, colors), kernels)):
            setattr(self, f"conv{i + 1}", nn.Conv2d(c_in, c_out, k, padding=k // 2))

    def forward(self, x):
        return self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x)))))


class Lornatang(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 64, 9, padding=4), nn.ReLU())
        self.map = nn.Sequential(nn.Conv2d(64, 32, 1), nn.ReLU())
        self.reconstruction = nn.Conv2d(32, 1, 5, padding=2)

    def forward(self, x):
        return self.reconstruction(self.map(self.features(x)))


def config(scale, kernels, colors):
    return {"srcnn": {"scale": scale, "kernels": kernels, "channels": [64, 32], "colors": colors}}


CASES = [
    {
        "name": "srcnn_yjn870", "module": Yjn870(), "config": config(3, [9, 5, 5], 1), "layout": "yjn870",
        "shape": [2, 1, 7, 9], "run": lambda module, x: module(bicubic(x, 3)), "hints": {"scale": 3},
    },
    {
        "name": "srcnn_lornatang", "module": Lornatang(), "config": config(2, [9, 1, 5], 1), "layout": "lornatang",
        "shape": [1, 1, 6, 5], "run": lambda module, x: module(bicubic(x, 2)), "hints": {"scale": 2},
        "save": lambda state: {"epoch": 3, "psnr": 31.5, "state_dict": state, "ema_state_dict": None},
    },
]
