"""Makes steps.pth with PyTorch 2.11.0: `PYTHONPATH=.libtorch python3 tests/golden/train/steps.py`.

It holds, in float32: parameters and ten gradients for each; of each optimiser, in two groups, the parameters and the state
after five and after ten steps; gradients that were clipped; the states of loss scales step by step; learning rates step by
step; weights of a small network and their moving averages.
"""
import importlib.util
import pathlib

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

HERE = pathlib.Path(__file__).parent
SHAPES = {"body.weight": [4, 3, 3, 3], "body.bias": [4], "act.weight": [1], "idle.bias": [2]}
IDLE = "idle.bias"  # never has a gradient
OPTIMIZERS = {
    "adam": (torch.optim.Adam, dict(lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.01)),
    "adamw": (torch.optim.AdamW, dict(lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)),
    "sgd": (torch.optim.SGD, dict(lr=1e-2)),
    "momentum": (torch.optim.SGD, dict(lr=1e-2, momentum=0.9, weight_decay=0.1)),
    "nesterov": (torch.optim.SGD, dict(lr=1e-2, momentum=0.9, nesterov=True, weight_decay=0.1)),
    "rmsprop": (torch.optim.RMSprop, dict(lr=1e-3, alpha=0.9, eps=1e-8, weight_decay=0.1)),
    "rmsprop_momentum": (torch.optim.RMSprop, dict(lr=1e-3, alpha=0.9, eps=1e-8, momentum=0.9)),
    "rmsprop_centered": (torch.optim.RMSprop, dict(lr=1e-3, alpha=0.9, eps=1e-2, centered=True)),
    "rmsprop_both": (torch.optim.RMSprop, dict(lr=1e-3, alpha=0.9, eps=1e-2, momentum=0.9, centered=True)),
}


def leaves(values):
    return {name: torch.nn.Parameter(value.clone()) for name, value in values.items()}


def copies(tensors):
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def steps(parameters, gradients, optimizer):
    for name, parameter in parameters.items():
        parameter.grad = gradients[name].clone() if name != IDLE else None
    optimizer.step()


def optimized(make, options, values, gradients):
    """The first group has the biases, at half the rate and without decay."""
    parameters, out = leaves(values), {}
    is_bias = lambda name: name.endswith(".bias")
    biases = [parameter for name, parameter in parameters.items() if is_bias(name)]
    others = [parameter for name, parameter in parameters.items() if not is_bias(name)]
    optimizer = make([{"params": biases, "lr": options["lr"] * 0.5, "weight_decay": 0.0}, {"params": others}], **options)
    for number, each in enumerate(gradients, 1):
        steps(parameters, each, optimizer)
        if number in (5, 10):
            # What it gives are its own tensors, which the next step changes.
            state = optimizer.state_dict()
            state["state"] = {key: copies(value) for key, value in state["state"].items()}
            out[f"parameters_{number}"], out[f"state_{number}"] = copies(parameters), state
    return out


def clipped(values, gradients):
    out = {}
    for name, clip in {
        "norm": lambda p: clip_grad_norm_(p, 0.5),
        "large_norm": lambda p: clip_grad_norm_(p, 1000.0),
        "value": lambda p: clip_grad_value_(p, 0.1),
    }.items():
        parameters = leaves(values)
        for key, parameter in parameters.items():
            parameter.grad = gradients[key].clone()
        norm = clip(parameters.values())
        out[name] = {key: parameter.grad for key, parameter in parameters.items()}
        if norm is not None:
            out[name]["norm"] = norm
    return out


def scales(factors, **options):
    """The states before the first step and after each, with losses of these slopes."""
    scaler, parameter = torch.amp.GradScaler("cpu", **options), torch.nn.Parameter(torch.ones(()))
    optimizer, states = torch.optim.SGD([parameter], lr=0.0), []
    for factor in factors:
        states.append(scaler.state_dict())
        optimizer.zero_grad()
        scaler.scale(parameter * factor).backward()
        scaler.step(optimizer)
        scaler.update()
    return {"factors": factors, "states": states + [scaler.state_dict()]}


def rates():
    """The rate of each of 60 steps from 0.1 on; of the plateau, after each of the scores."""
    scores = [20.0, 21.0, 21.001, 20.0, 20.5, 22.0, 22.0, 22.0, 22.0, 22.0, 23.0, 0.0, 0.0, 0.0, 24.0] + [24.0] * 9
    schedulers = {
        "linear_warm_up": lambda o: lr_scheduler.LinearLR(o, 0.25, 1.0, 40),
        "linear": lambda o: lr_scheduler.LinearLR(o, 1.0, 0.2, 60),
        "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 60, 0.02),
        "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 20, 2, 0.02),
        "multi_step": lambda o: lr_scheduler.MultiStepLR(o, [10, 30, 31], 0.5),
        "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, "max", 0.5, patience=1, min_lr=0.01),
    }
    out = {"scores": scores}
    for name, make in schedulers.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(()))], lr=0.1)
        scheduler, out[name] = make(optimizer), []
        for score in scores if name == "plateau" else [None] * 60:
            if score is None:
                out[name].append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            scheduler.step(*[score] * (score is not None))
            if score is not None:
                out[name].append(float(optimizer.param_groups[0]["lr"]))
    return out


def averages():
    path = HERE.parents[2] / "crates/models/python/srresnet.py"
    spec = importlib.util.spec_from_file_location("srresnet", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.SrResNet(2, 1, 2, "batch", "lr", False)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    networks, states = [copies(network.state_dict())], [copies(average.state_dict())]
    for number in range(1, 5):
        with torch.no_grad():
            for name, value in network.state_dict().items():
                value.copy_(torch.randn(value.shape) if value.is_floating_point() else torch.tensor(number))
        average.update_parameters(network)
        networks.append(copies(network.state_dict()))
        states.append(copies(average.state_dict()))
    return {"networks": networks, "averages": states}


def main():
    torch.manual_seed(0)
    noise = lambda: {name: torch.randn(shape) * 0.01 ** (len(shape) == 1) for name, shape in SHAPES.items()}
    values, gradients = {name: torch.randn(shape) for name, shape in SHAPES.items()}, [noise() for _ in range(10)]
    out = {"parameters": values, "gradients": gradients}
    for name, (make, options) in OPTIMIZERS.items():
        out[name] = optimized(make, options, values, gradients)
    out["clip"] = clipped(values, gradients[0])
    inf = float("inf")
    some = [1.0] * 9 + [inf] + [1.0] * 3 + [inf, inf] + [1.0] * 6
    out["scaler"] = scales(some, growth_interval=4)
    out["large_scaler"] = scales([0.5] * 4, init_scale=2.0**126, growth_interval=1)
    out["rates"] = rates()
    out["ema"] = averages()
    torch.save(out, HERE / "steps.pth")


if __name__ == "__main__":
    main()
