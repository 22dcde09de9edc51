"""Makes the goldens of the optimisers with PyTorch 2.11.0: `PYTHONPATH=.libtorch python3 tests/golden/train/make.py`.

adam.pth     100 steps of torch.optim.Adam (not fused) on two tensors with given gradients; adamw.pth, sgd.pth (with momentum)
             and nesterov.pth are made alike.
"""
import pathlib
from functools import partial

import torch

HERE = pathlib.Path(__file__).parent


def optimizer(name, make, fields):
    """A hundred steps on two tensors with given gradients, and what the optimiser then holds of each."""
    torch.manual_seed(1)
    a, b = torch.randn(7, 5, requires_grad=True), torch.randn(11, requires_grad=True)
    out = {"a": a.detach().clone(), "b": b.detach().clone()}
    gradients = [torch.randn(100, 7, 5), torch.randn(100, 11) * 1e-3]
    out["gradients_a"], out["gradients_b"] = gradients
    optimizer = make([a, b], fused=False, foreach=False)
    for step in range(100):
        a.grad, b.grad = gradients[0][step].clone(), gradients[1][step].clone()
        optimizer.step()
    for tensor_name, tensor in (("a", a), ("b", b)):
        out[f"final_{tensor_name}"] = tensor.detach().clone()
        out.update({f"{field}_{tensor_name}": optimizer.state[tensor][field] for field in fields})
    torch.save(out, HERE / f"{name}.pth")


if __name__ == "__main__":
    moments = ["exp_avg", "exp_avg_sq"]
    optimizer("adam", partial(torch.optim.Adam, lr=1e-2, betas=(0.9, 0.999), eps=1e-8), moments)
    optimizer("adamw", partial(torch.optim.AdamW, lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1), moments)
    sgd = partial(torch.optim.SGD, lr=1e-2, momentum=0.9, weight_decay=0.1)
    optimizer("sgd", sgd, ["momentum_buffer"])
    optimizer("nesterov", partial(sgd, nesterov=True), ["momentum_buffer"])
