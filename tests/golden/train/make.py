"""Makes the goldens of the losses and the optimisers with PyTorch 2.11.0: `PYTHONPATH=.libtorch python3 tests/golden/train/make.py`.

losses.pth   sr, hr, logits; each loss's value, and its gradient for sr or for the logits.
adam.pth     100 steps of torch.optim.Adam (not fused) on two tensors with given gradients; adamw.pth, sgd.pth (with momentum)
             and nesterov.pth are made alike.
VGG-19 is filled by a formula that the Rust test repeats, so its 20 million numbers need not be stored.
"""
import pathlib
from functools import partial

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
VGG19 = [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512]


def formula(shape, bound):
    """Entry k is ((k * 2654435761 mod 2^32) / 2^32 - 0.5) * 2 * bound, rounded to float32."""
    k = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    unit = ((k * 2654435761) % 2**32).to(torch.float64) / 2**32
    return ((unit - 0.5) * 2 * bound).to(torch.float32).view(shape)


def vgg19_features():
    """The torchvision layers up to relu5_4, weights by the formula with He's bound, biases by the formula with 0.1."""
    layers, channels = [], 3
    for width in VGG19:
        if width == "M":
            layers.append(torch.nn.MaxPool2d(2, 2))
            continue
        conv = torch.nn.Conv2d(channels, width, 3, padding=1)
        conv.weight.data = formula(conv.weight.shape, (6 / (9 * channels)) ** 0.5)
        conv.bias.data = formula(conv.bias.shape, 0.1)
        layers += [conv, torch.nn.ReLU()]
        channels = width
    return torch.nn.Sequential(*layers).requires_grad_(False)


def content(vgg, sr, hr, depth, distance):
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    features = lambda x: vgg[:depth]((x - mean) / std)
    return distance(features(sr), features(hr))


def losses():
    torch.manual_seed(0)
    sr, hr = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    real, fake = torch.randn(4, 1) * 3, torch.randn(4, 1) * 3
    one, zero, vgg, bce = torch.ones(4, 1), torch.zeros(4, 1), vgg19_features(), F.binary_cross_entropy_with_logits
    cases = {
        "pixel_l1": (lambda x: F.l1_loss(x, hr), sr),
        "pixel_mse": (lambda x: F.mse_loss(x, hr), sr),
        "content_relu2_2_l1": (lambda x: content(vgg, x, hr, 9, F.l1_loss), sr),
        "content_relu5_4_mse": (lambda x: content(vgg, x, hr, 36, F.mse_loss), sr),
        "content_conv5_4_mse": (lambda x: content(vgg, x, hr, 35, F.mse_loss), sr),
        "adversarial_non_saturating": (lambda z: bce(z, one), fake),
        "adversarial_saturating": (lambda z: -bce(z, zero), fake),
        "discriminator_fake": (lambda z: bce(real, one) + bce(z, zero), fake),
        "discriminator_real": (lambda z: bce(z, one) + bce(fake, zero), real),
    }
    out = {"sr": sr, "hr": hr, "real": real, "fake": fake}
    for name, (loss, variable) in cases.items():
        x = variable.clone().requires_grad_(True)
        value = loss(x)
        value.backward()
        out[name], out[name + "_gradient"] = value.detach().view(1), x.grad
    torch.save(out, HERE / "losses.pth")


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
    losses()
    moments = ["exp_avg", "exp_avg_sq"]
    optimizer("adam", partial(torch.optim.Adam, lr=1e-2, betas=(0.9, 0.999), eps=1e-8), moments)
    optimizer("adamw", partial(torch.optim.AdamW, lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1), moments)
    sgd = partial(torch.optim.SGD, lr=1e-2, momentum=0.9, weight_decay=0.1)
    optimizer("sgd", sgd, ["momentum_buffer"])
    optimizer("nesterov", partial(sgd, nesterov=True), ["momentum_buffer"])
