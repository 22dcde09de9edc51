"""Builds networks as their own projects have them, with random weights, saves each as its project does and runs it.

Every other file in this folder has a list CASES of dicts with these keys; the Rust side opens the files and compares:
    name    of the case
    module  a torch module of the project (or one written here with its names)
    config  what Abbe must recognise: a network's name and its keys
    layout  the name of the layout that Abbe must recognise
    shape   of the input
    save    from the state dict to what the project saves (the state dict itself when absent)
    run     from module and input in [0, 1] to output (a plain call when absent)
    hints   scale, activation and res_scale that no tensor tells
    train   whether a few passes in training mode are compared too
"""
import importlib
import json
import pathlib

import torch


def randomize(module):
    """Statistics of batch norm and the like must matter too."""
    for name, tensor in module.state_dict().items():
        if name.endswith("running_mean"):
            tensor.uniform_(-0.2, 0.2)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith("num_batches_tracked"):
            tensor.fill_(7)


def trained(module, run, x):
    """Three passes in training mode: the last output, all parameters' gradients one after the other, the buffers after."""
    module.train()
    ys = [run(module, x) for _ in range(3)]
    sum(y.square().mean() for y in ys).backward()
    gradient = torch.cat([parameter.grad.flatten() for parameter in module.parameters()])
    buffers = {f"buffer.{name}": buffer for name, buffer in module.named_buffers()}
    return {"y": ys[-1].detach(), "gradient": gradient, **buffers}


def main():
    torch.manual_seed(0)
    files = sorted(path.stem for path in pathlib.Path(__file__).parent.glob("*.py") if path.stem != "harness")
    cases = []
    for case in (case for file in files for case in importlib.import_module(file).CASES):
        module, name = case["module"], case["name"]
        randomize(module)
        module.eval()
        x = torch.rand(case["shape"])
        run = case.get("run", lambda module, x: module(x))
        with torch.no_grad():
            y = run(module, x)
        torch.save(case.get("save", lambda state: state)(module.state_dict()), f"{name}.pth")
        torch.save({"x": x, "y": y.float()}, f"{name}_io.pth")
        if case.get("train"):
            torch.save(trained(module, run, x), f"{name}_trained.pth")
        cases.append({key: case.get(key) for key in ["name", "config", "layout", "hints", "train"]})
    pathlib.Path("cases.json").write_text(json.dumps(cases))


main()
