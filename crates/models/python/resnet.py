"""ResNet (He et al., arXiv 1512.03385) as torchvision has it, the wide ones (arXiv 1605.07146) among them."""
from torch import nn


class Block(nn.Module):
    """shapes: (c_in, c_out, kernel, stride) of the convolutions."""

    def __init__(self, shapes, shortcut):
        super().__init__()
        self.count = len(shapes)
        for i, (c_in, c_out, kernel, stride) in enumerate(shapes, 1):
            setattr(self, f"conv{i}", nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(c_out))
        self.downsample = None
        if shortcut is not None:
            c_in, c_out, stride = shortcut
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y if i == 1 else y.relu()))
        return (y + (self.downsample(x) if self.downsample else x)).relu()


class ResNet(nn.Module):
    """[N, 3, h, w] of any size, normalised by ImageNet's mean and deviation, to scores [N, classes]."""

    def __init__(self, block, blocks, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        c_in = 64
        for stage, count in enumerate(blocks):
            layers, inner = [], width << stage
            c_out = (64 << stage) * (4 if block == "bottleneck" else 1)
            for i in range(count):
                stride = 2 if stage and i == 0 else 1
                shapes = [(c_in, c_out, 3, stride), (c_out, c_out, 3, 1)]
                if block == "bottleneck":
                    shapes = [(c_in, inner, 1, 1), (inner, inner, 3, stride), (inner, c_out, 1, 1)]
                layers.append(Block(shapes, (c_in, c_out, stride) if stride > 1 or c_in != c_out else None))
                c_in = c_out
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(c_in, classes)

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))
