"""torchvision's VGG and AlexNet, without the dense layers: their up to 124 million numbers would take seconds."""
import torch
from torchvision import models


class FeaturesOnly(torch.nn.Module):
    def __init__(self, name):
        super().__init__()
        self.features = getattr(models, name)(weights=None).features

    def forward(self, x):
        return self.features(x)


def features(name):
    """On no device at first, since the whole network is made for its features."""
    with torch.device("meta"):
        module = FeaturesOnly(name)
    module = module.to_empty(device="cpu")
    for parameter in module.parameters():
        if parameter.dim() == 4:
            torch.nn.init.kaiming_uniform_(parameter)
        else:
            torch.nn.init.uniform_(parameter, 0.1, 0.5)
    config = {"alexnet": {"classes": None}} if name == "alexnet" else {"vgg": {"net": name, "classes": None}}
    shape = [1, 3, 71, 90] if name == "alexnet" else [1, 3, 45, 38]
    return {"name": f"{name}_features", "module": module, "config": config, "layout": "torchvision", "shape": shape}


def data_parallel(state):
    """The example wraps `features` alone."""
    state = {name.replace("features.", "features.module."): tensor for name, tensor in state.items()}
    return {"epoch": 90, "arch": "vgg11", "state_dict": state, "best_acc1": torch.tensor(69.0), "optimizer": {}}


CASES = [features(name) for name in ("alexnet", "vgg13_bn", "vgg16", "vgg19_bn")] + [
    features("vgg11") | {"layout": "imagenet-example", "save": data_parallel},
]
