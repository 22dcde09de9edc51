"""FSRCNN with the names of yjn870's project."""
from torch import nn


class Fsrcnn(nn.Module):
    def __init__(self, scale_factor, num_channels=1, d=56, s=12, m=4):
        super().__init__()
        self.first_part = nn.Sequential(nn.Conv2d(num_channels, d, kernel_size=5, padding=5 // 2), nn.PReLU(d))
        self.mid_part = [nn.Conv2d(d, s, kernel_size=1), nn.PReLU(s)]
        for _ in range(m):
            self.mid_part.extend([nn.Conv2d(s, s, kernel_size=3, padding=3 // 2), nn.PReLU(s)])
        self.mid_part.extend([nn.Conv2d(s, d, kernel_size=1), nn.PReLU(d)])
        self.mid_part = nn.Sequential(*self.mid_part)
        self.last_part = nn.ConvTranspose2d(
            d, num_channels, kernel_size=9, stride=scale_factor, padding=9 // 2, output_padding=scale_factor - 1
        )

    def forward(self, x):
        return self.last_part(self.mid_part(self.first_part(x)))


def case(scale, colors, d, s, m):
    module = Fsrcnn(scale, colors, d, s, m)
    for prelu in (layer for layer in module.modules() if isinstance(layer, nn.PReLU)):
        nn.init.uniform_(prelu.weight, 0.1, 0.9)
    config = {"scale": scale, "channels": d, "shrunk": s, "mappings": m, "colors": colors}
    return {
        "name": f"fsrcnn_x{scale}", "module": module, "layout": "yjn870", "config": {"fsrcnn": config},
        "shape": [2, colors, 7, 6], "hints": {"scale": scale},
    }


CASES = [case(4, 1, 56, 12, 4), case(3, 3, 7, 5, 2), case(2, 1, 6, 4, 1)]
