"""The discriminator of ESRGAN (Wang et al., arXiv 1809.00219) as BasicSR has it."""
from torch import nn
from torch.nn import functional as F


class VggStyleDiscriminator(nn.Module):
    """[N, colors, patch, patch] in [0, 1] to logits [N, 1]."""

    def __init__(self, patch, colors, channels):
        super().__init__()
        self.steps, c_in = [], colors
        for stage in range({128: 5, 256: 6}[patch]):
            c_out = channels * 2 ** min(stage, 3)
            for step, (kernel, stride) in enumerate([(3, 1), (4, 2)]):
                name, first = f"{stage}_{step}", (stage, step) == (0, 0)
                setattr(self, f"conv{name}", nn.Conv2d(c_in, c_out, kernel, stride, 1, bias=first))
                setattr(self, f"bn{name}", nn.Identity() if first else nn.BatchNorm2d(c_out))
                self.steps.append(name)
                c_in = c_out
        self.linear1 = nn.Linear(c_in * 4 * 4, 100)
        self.linear2 = nn.Linear(100, 1)

    def forward(self, x):
        for name in self.steps:
            x = F.leaky_relu(getattr(self, f"bn{name}")(getattr(self, f"conv{name}")(x)), 0.2)
        return self.linear2(F.leaky_relu(self.linear1(x.flatten(1)), 0.2))
