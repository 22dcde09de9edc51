"""The U-Net discriminator of Real-ESRGAN (Wang et al., arXiv 2107.10833)."""
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import spectral_norm


class UNetDiscriminator(nn.Module):
    """[N, colors, h, w] in [0, 1], h and w multiples of 8, to logits [N, 1, h, w]."""

    def __init__(self, colors, channels):
        super().__init__()
        widths = [channels * factor for factor in (1, 2, 4, 8, 4, 2, 1, 1, 1)]
        self.conv0 = nn.Conv2d(colors, channels, 3, 1, 1)
        for i in range(1, 9):
            kernel, stride = (4, 2) if i <= 3 else (3, 1)
            conv = nn.Conv2d(widths[i - 1], widths[i], kernel, stride, 1, bias=False)
            setattr(self, f"conv{i}", spectral_norm(conv))
        self.conv9 = nn.Conv2d(channels, 1, 3, 1, 1)

    def forward(self, x):
        skips = [F.leaky_relu(self.conv0(x), 0.2)]
        for conv in (self.conv1, self.conv2, self.conv3):
            skips.append(F.leaky_relu(conv(skips[-1]), 0.2))
        x = skips.pop()
        for conv in (self.conv4, self.conv5, self.conv6):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = F.leaky_relu(conv(x), 0.2) + skips.pop()
        for conv in (self.conv7, self.conv8):
            x = F.leaky_relu(conv(x), 0.2)
        return self.conv9(x)
