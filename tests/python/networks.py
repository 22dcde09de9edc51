"""VGG-11 as a PyTorch user writes it."""
import torch
from torch import nn


def vgg11():
    """The convolutions of torchvision's VGG-11 under its names."""
    layers, c_in = [], 3
    for width in [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]:
        if width == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(c_in, width, 3, padding=1), nn.ReLU()]
            c_in = width
    module = nn.Module()
    module.features = nn.Sequential(*layers)
    return module
