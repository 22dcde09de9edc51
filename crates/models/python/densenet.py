"""DenseNet-BC (Huang et al., arXiv 1608.06993) as torchvision has it."""
from collections import OrderedDict

import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, c_in, inner, growth):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(c_in)
        self.conv1 = nn.Conv2d(c_in, inner, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, growth, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv2(self.norm2(self.conv1(self.norm1(x).relu())).relu())], 1)


def transition(c_in, c_out):
    conv = nn.Conv2d(c_in, c_out, 1, bias=False)
    return nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(c_in), relu=nn.ReLU(), conv=conv, pool=nn.AvgPool2d(2)))


class DenseNet(nn.Module):
    """[N, 3, h, w], at least 29x29, normalised by ImageNet's mean and deviation, to scores [N, classes]."""

    def __init__(self, growth, blocks, channels, bottleneck, classes):
        super().__init__()
        parts = OrderedDict(conv0=nn.Conv2d(3, channels, 7, 2, 3, bias=False), norm0=nn.BatchNorm2d(channels))
        parts.update(relu0=nn.ReLU(), pool0=nn.MaxPool2d(3, 2, 1))
        for block, count in enumerate(blocks, 1):
            layers = OrderedDict()
            for i in range(1, count + 1):
                layers[f"denselayer{i}"] = Layer(channels, bottleneck * growth, growth)
                channels += growth
            parts[f"denseblock{block}"] = nn.Sequential(layers)
            if block < len(blocks):
                parts[f"transition{block}"] = transition(channels, channels // 2)
                channels //= 2
        parts["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(parts)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x):
        return self.classifier(self.features(x).relu().mean((2, 3)))
