"""AlexNet (Krizhevsky, arXiv 1404.5997)."""
from torch import nn


class AlexNet(nn.Module):
    """[N, 3, h, w], at least 63x63, normalised by ImageNet's mean and deviation, to scores [N, classes].

    Without classes there are no dense layers, and the output is that of the convolutions, 256 channels.
    """

    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        )
        if classes is not None:
            self.avgpool = nn.AdaptiveAvgPool2d(6)
            self.classifier = nn.Sequential(
                nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(),
                nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(),
                nn.Linear(4096, classes),
            )

    def forward(self, x):
        x = self.features(x)
        return self.classifier(self.avgpool(x).flatten(1)) if hasattr(self, "classifier") else x
