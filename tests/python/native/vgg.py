"""torchvision's VGG: features alone, and one whole network as PyTorch's ImageNet example saves it."""
import torch
from torchvision import models


class FeaturesOnly(torch.nn.Module):
    def __init__(self, name):
        super().__init__()
        self.features = getattr(models, name)(weights=None).features

    def forward(self, x):
        return self.features(x)


def features(name):
    """Without the dense layers, whose first values would take seconds."""
    with torch.device("meta"):
        module = FeaturesOnly(name)
    module = module.to_empty(device="cpu")
    for parameter in module.parameters():
        if parameter.dim() == 4:
            torch.nn.init.kaiming_normal_(parameter)
        else:
            torch.nn.init.uniform_(parameter, 0.1, 0.5)
    return {
        "name": f"{name}_features", "module": module, "config": {"vgg": {"net": name, "classes": None}},
        "layout": "torchvision", "shape": [1, 3, 45, 38],
    }


def data_parallel(state):
    """The example wraps `features` alone."""
    state = {name.replace("features.", "features.module."): tensor for name, tensor in state.items()}
    return {"epoch": 90, "arch": "vgg11", "state_dict": state, "best_acc1": torch.tensor(69.0), "optimizer": {}}


CASES = [features(name) for name in ("vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn")] + [
    {
        "name": "vgg11_imagenet", "module": models.vgg11(num_classes=7), "layout": "imagenet_example",
        "config": {"vgg": {"net": "vgg11", "classes": 7}}, "shape": [2, 3, 70, 40], "save": data_parallel,
    },
]
