"""RRDBNet with the names of BasicSR, of the ESRGAN repository and of its beginnings. spandrel's module has the oldest names;
its loader, which knows all three, runs each file, so that nothing here depends on how this file writes the names."""
import re

from spandrel import ModelLoader
from spandrel.architectures.ESRGAN import ESRGAN
import torch
from torch import nn
from torch.nn import functional as F


def new_names(state):
    """From the oldest names to BasicSR's; the index of a doubling's convolution is three times its number."""
    last = max(int(name.split(".")[1]) for name in state)
    blocks = max(int(name.split(".")[3]) for name in state if name.startswith("model.1.sub."))
    places = {"model.0": "conv_first", f"model.1.sub.{blocks}": "conv_body", f"model.{last}": "conv_last"}
    places |= {f"model.{last - 2}": "conv_hr"} | {f"model.{3 * i}": f"conv_up{i}" for i in range(1, (last - 4) // 3 + 1)}

    def new(name):
        layer, kind = name.rsplit(".", 1)
        dense = re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0", layer)
        return (places[layer] if dense is None else "body.{}.rdb{}.conv{}".format(*dense.groups())) + "." + kind
    return {new(name): tensor for name, tensor in state.items()}


def repository_names(state):
    changes = {"body.": "RRDB_trunk.", ".rdb": ".RDB", "conv_up": "upconv", "conv_hr": "HRconv"}
    renamed = {}
    for name, tensor in new_names(state).items():
        name = name.replace("conv_body.", "trunk_conv.")
        for ours, theirs in changes.items():
            name = name.replace(ours, theirs)
        renamed[name] = tensor
    return renamed


class DenseBlock(nn.Module):
    def __init__(self, n, g):
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4, self.conv5 = [
            nn.Conv2d(n + k * g, g if k < 4 else n, 3, padding=1) for k in range(5)]

    def forward(self, x):
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, F.leaky_relu(conv(seen), 0.2)), 1)
        return x + self.conv5(seen) * 0.2


class Block(nn.Module):
    def __init__(self, n, g):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = DenseBlock(n, g), DenseBlock(n, g), DenseBlock(n, g)

    def forward(self, x):
        return x + self.rdb3(self.rdb2(self.rdb1(x))) * 0.2


class BasicSr(nn.Module):
    """BasicSR's module, for a growth that spandrel refuses; scale 4, 2 or 1 always with two doublings."""

    def __init__(self, scale, n, g, blocks):
        super().__init__()
        self.unshuffle = 4 // scale
        self.conv_first = nn.Conv2d(3 * self.unshuffle**2, n, 3, padding=1)
        self.body = nn.Sequential(*(Block(n, g) for _ in range(blocks)))
        for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
            setattr(self, name, nn.Conv2d(n, n, 3, padding=1))
        self.conv_last = nn.Conv2d(n, 3, 3, padding=1)

    def forward(self, x):
        x = self.conv_first(F.pixel_unshuffle(x, self.unshuffle))
        x = x + self.conv_body(self.body(x))
        for conv in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))


def spandrel_case(name, layout, shape, rename=dict, wrap=dict, **arguments):
    options = {"num_filters": 8, "num_blocks": 1, "in_nc": 3, "out_nc": 3, "plus": False, "shuffle_factor": 1} | arguments
    unshuffle = options["shuffle_factor"]
    module = ESRGAN(**options | {"shuffle_factor": None if unshuffle == 1 else unshuffle})
    config = {
        "scale": options["scale"] // unshuffle, "blocks": options["num_blocks"], "channels": options["num_filters"],
        "growth": 32, "unshuffle": unshuffle, "colors": options["out_nc"], "plus": options["plus"],
    }

    def run(module, x):
        loaded = ModelLoader().load_from_state_dict(rename(module.state_dict()))
        assert loaded.scale == config["scale"]
        return loaded.model.eval()(x)
    return {
        "name": f"rrdbnet_{name}", "module": module, "config": {"rrdbnet": config}, "layout": layout, "shape": shape,
        "run": run, "save": lambda state: wrap(rename(state)),
    }


def basicsr_case(name, shape, scale, n, g, blocks, wrap):
    config = {
        "scale": scale, "blocks": blocks, "channels": n, "growth": g, "unshuffle": 4 // scale, "colors": 3, "plus": False,
    }
    return {
        "name": f"rrdbnet_{name}", "module": BasicSr(scale, n, g, blocks), "config": {"rrdbnet": config},
        "layout": "basicsr", "shape": shape, "save": wrap,
    }


NEW, REPOSITORY, OLD = ("basicsr", new_names), ("esrgan", repository_names), ("esrgan-old", dict)


def case(name, project, shape, **arguments):
    layout, rename = project
    return spandrel_case(name, layout, shape, rename, **arguments)


def params_ema(state):
    return {"params_ema": state}


CASES = [
    case("new_x4", NEW, [1, 3, 6, 5], scale=4, wrap=params_ema),
    case("new_x2", NEW, [1, 3, 7, 9], scale=4, in_nc=12, shuffle_factor=2, num_blocks=2, wrap=params_ema),
    case("new_x1", NEW, [2, 3, 9, 7], scale=4, in_nc=16 * 3, shuffle_factor=4, wrap=params_ema),
    case("new_luma", NEW, [1, 1, 5, 6], scale=4, in_nc=4, out_nc=1, shuffle_factor=2, wrap=params_ema),
    case("repository_x4", REPOSITORY, [1, 3, 6, 5], scale=4, num_filters=5, num_blocks=3),
    case("repository_x2", REPOSITORY, [2, 1, 6, 5], scale=2, in_nc=1, out_nc=1),
    case("old_x1", OLD, [1, 3, 6, 5], scale=1),
    case("old_x2", OLD, [1, 3, 6, 5], scale=2, num_blocks=2),
    case("old_x4", OLD, [1, 3, 6, 5], scale=4, wrap=lambda state: {"module." + name: state[name] for name in state}),
    case("old_x8", OLD, [1, 3, 3, 4], scale=8),
    case("old_x2_unshuffled", OLD, [1, 3, 5, 8], scale=4, in_nc=12, shuffle_factor=2),
    case("plus", OLD, [1, 3, 6, 5], scale=4, plus=True),
    basicsr_case("growth", [1, 3, 5, 6], 4, 6, 7, 2, lambda state: {"params": state}),
    basicsr_case("growth_x2", [1, 3, 6, 8], 2, 10, 4, 1, lambda state: {"params": state, "params_ema": state}),
]
