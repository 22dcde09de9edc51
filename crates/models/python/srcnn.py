"""SRCNN (Dong et al., arXiv 1501.00092)."""
import torch
from torch import nn
from torch.nn import functional as F


def bicubic(lr, scale):
    """MATLAB's bicubic (a = -0.5, which PyTorch uses with antialias only), with a replicated border."""
    wide = F.interpolate(F.pad(lr, (2, 2, 2, 2), mode="replicate"), scale_factor=scale, mode="bicubic", antialias=True)
    return wide[..., 2 * scale:-2 * scale, 2 * scale:-2 * scale]


class Srcnn(nn.Module):
    """[N, colors, h, w] in [0, 1] to [N, colors, h * scale, w * scale]."""

    def __init__(self, scale, kernels, channels, colors=3):
        super().__init__()
        self.scale = scale
        widths = [colors, *channels, colors]
        for i, k in enumerate(kernels):
            setattr(self, f"conv{i + 1}", nn.Conv2d(widths[i], widths[i + 1], k, padding=k // 2))

    def forward(self, lr):
        x = bicubic(lr, self.scale)
        return self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x)))))
