"""VGG-11, 13, 16 and 19, with and without batch norm (Simonyan and Zisserman, arXiv 1409.1556)."""
from torch import nn

CONVOLUTIONS = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


class Vgg(nn.Module):
    """[N, 3, h, w], at least 32x32, normalised by ImageNet's mean and deviation, to scores [N, classes].

    Without classes there are no dense layers, and the output is [N, 512, h // 32, w // 32].
    """

    def __init__(self, net, classes):
        super().__init__()
        layers, c_in = [], 3
        for count, c_out in zip(CONVOLUTIONS[net.removesuffix("_bn")], (64, 128, 256, 512, 512)):
            for _ in range(count):
                layers += [nn.Conv2d(c_in, c_out, 3, padding=1)]
                layers += [nn.BatchNorm2d(c_out)] * net.endswith("_bn") + [nn.ReLU()]
                c_in = c_out
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        if classes is not None:
            self.avgpool = nn.AdaptiveAvgPool2d(7)
            self.classifier = nn.Sequential(
                nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(),
                nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
                nn.Linear(4096, classes),
            )

    def forward(self, x):
        x = self.features(x)
        return self.classifier(self.avgpool(x).flatten(1)) if hasattr(self, "classifier") else x
