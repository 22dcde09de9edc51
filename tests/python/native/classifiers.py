"""torchvision's classifiers, with few classes and odd sizes of picture."""
import re

from torchvision import models
from torchvision.models.densenet import DenseNet
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet


def case(name, module, config, shape, layout="torchvision", **more):
    return {"name": name, "module": module, "config": config, "layout": layout, "shape": shape, **more}


def squeezenet(version):
    module = getattr(models, f"squeezenet{version.replace('.', '_')}")(num_classes=5)
    return case(f"squeezenet_{version}", module, {"squeezenet": {"version": version, "classes": 5}}, [2, 3, 61, 44])


def resnet(name, block, blocks, width=64):
    module = ResNet({"basic": BasicBlock, "bottleneck": Bottleneck}[block], blocks, 3, width_per_group=width)
    config = {"resnet": {"block": block, "blocks": blocks, "width": width, "classes": 3}}
    return case(name, module, config, [2, 3, 67, 51])


def densenet(name, growth, blocks, channels, bottleneck, **more):
    config = {"growth": growth, "blocks": blocks, "channels": channels, "bottleneck": bottleneck, "classes": 3}
    module = DenseNet(growth, blocks, channels, bottleneck, num_classes=3)
    return case(name, module, {"densenet": config}, [2, 3, 71, 60], **more)


def downloaded(state):
    """Written before PyTorch counted batches and forbade dots in the names of modules."""
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name): tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in old.items() if not name.endswith("num_batches_tracked")}


def example(state):
    """PyTorch's ImageNet example wraps `features` alone."""
    state = {name.replace("features.", "features.module."): tensor for name, tensor in state.items()}
    return {"epoch": 90, "arch": "alexnet", "state_dict": state, "best_acc1": 56.5}


CASES = [
    case(
        "alexnet", models.alexnet(num_classes=3), {"alexnet": {"classes": 3}}, [2, 3, 130, 99],
        layout="imagenet-example", save=example,
    ),
    squeezenet("1.0"),
    squeezenet("1.1"),
    resnet("resnet_basic", "basic", [1, 2, 1, 1]),
    resnet("resnet_bottleneck", "bottleneck", [2, 1, 2, 1]),
    resnet("resnet_wide", "bottleneck", [1, 1, 1, 1], width=24),
    densenet("densenet", 5, [2, 1, 3, 1], 9, 3),
    densenet("densenet121_downloaded", 32, [6, 12, 24, 16], 64, 4, layout="torchvision-old", save=downloaded),
]
