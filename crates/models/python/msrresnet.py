"""MSRResNet, SRResNet without batch norm (Wang et al., arXiv 1809.00219; the network of BasicSR)."""
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class MsrResNet(nn.Module):
    """[N, colors, h, w] in [0, 1] to [N, colors, h * scale, w * scale]."""

    def __init__(self, scale, blocks, channels, colors):
        super().__init__()
        self.scale = scale
        self.factor = factor = 3 if scale == 3 else 2
        self.conv_first = nn.Conv2d(colors, channels, 3, padding=1)
        self.body = nn.Sequential(*[Block(channels) for _ in range(blocks)])
        self.upconv1 = nn.Conv2d(channels, channels * factor**2, 3, padding=1)
        if scale == 4:
            self.upconv2 = nn.Conv2d(channels, channels * factor**2, 3, padding=1)
        self.conv_hr = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_last = nn.Conv2d(channels, colors, 3, padding=1)

    def forward(self, lr):
        x = self.body(F.leaky_relu(self.conv_first(lr), 0.1))
        for conv in [self.upconv1, self.upconv2] if self.scale == 4 else [self.upconv1]:
            x = F.leaky_relu(F.pixel_shuffle(conv(x), self.factor), 0.1)
        x = self.conv_last(F.leaky_relu(self.conv_hr(x), 0.1))
        return x + F.interpolate(lr, scale_factor=self.scale, mode="bilinear", align_corners=False)
