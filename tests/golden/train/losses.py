"""Makes losses.pth with PyTorch 2.11.0: `PYTHONPATH=.libtorch python3 tests/golden/train/losses.py`.

It holds sr, hr, ema (pictures), real and fake (logits); each loss's value, computed in float64; and its gradient for sr, for
the logits that its name ends with, or, of a penalty, for the weights of the discriminator but those of its large dense layer.
VGG-19 and the discriminator are filled by a formula that the Rust test repeats, so their numbers need not be stored.
"""
import importlib.util
import pathlib

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
VGG19 = [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512]
LARGE = "classifier.0.weight"


def fill(module):
    """Numbers that look random: entry k is (h / 2^32 - 0.5) * 2 * bound, where h is k through the finaliser of MurmurHash3. The
    bound is He's for weights of two or more dimensions, else 0.1; batch norm's weights are moved by 1."""
    for name, values in module.named_parameters():
        h = torch.arange(values.numel(), dtype=torch.int64)
        for shift, factor in [(16, 0x85EBCA6B), (13, 0xC2B2AE35)]:
            h = ((h ^ (h >> shift)) * factor) % 2**32
        unit = (h ^ (h >> 16)).double() / 2**32
        bound = (6 * values.shape[0] / values.numel()) ** 0.5 if values.dim() > 1 else 0.1
        one = 1 if values.dim() == 1 and name.endswith("weight") else 0
        # Rounded to the float32 that the Rust test has.
        values.data = ((unit - 0.5) * 2 * bound + one).float().double().view(values.shape)
    return module


def vgg19_features():
    layers, channels = [], 3
    for width in VGG19:
        if width == "M":
            layers.append(torch.nn.MaxPool2d(2, 2))
            continue
        layers += [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU()]
        channels = width
    return fill(torch.nn.Sequential(*layers)).requires_grad_(False)


def discriminator():
    path = HERE.parents[2] / "crates/models/python/discriminator.py"
    spec = importlib.util.spec_from_file_location("discriminator", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return fill(module.Discriminator(patch=32, channels=2)).double().train()


def features(vgg, x, depth):
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(1, 3, 1, 1)
    return vgg[:depth]((x - mean) / std)


def gram(maps):
    n, c, h, w = maps.shape
    return torch.einsum("nchw,ndhw->ncd", maps, maps) / (c * h * w)


def charbonnier(a, b, eps):
    return torch.sqrt((a - b) ** 2 + eps**2).mean()


def histogram(x, bins, bandwidth):
    centres = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins
    votes = 1 / (1 + ((x.flatten(2)[..., None] - centres) / bandwidth) ** 2)
    return votes.sum(2) / votes.sum((2, 3))[..., None]


def hellinger(p, q):
    return (torch.linalg.vector_norm(p.sqrt() - q.sqrt(), dim=-1) / 2**0.5).mean()


def total_variation(x):
    return (x[..., 1:, :] - x[..., :-1, :]).abs().mean() + (x[..., 1:] - x[..., :-1]).abs().mean()


def fourier(x, y):
    a, b = (torch.view_as_real(torch.fft.fft2(picture, norm="ortho")) for picture in (x, y))
    return F.l1_loss(a, b)


def focal_frequency(x, y, alpha):
    """As the authors' package computes it, with one patch and without averages over the batch."""
    a, b = (torch.view_as_real(torch.fft.fft2(picture, norm="ortho")) for picture in (x, y))
    squares = ((a - b) ** 2).sum(-1)
    counts = squares.sqrt() ** alpha
    counts = (counts / counts.amax((-2, -1), keepdim=True)).clamp(0, 1).detach()
    return (counts * squares).mean()


def luma(x):
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64).view(1, 3, 1, 1)
    return ((x * weights).sum(1, keepdim=True) + 16) / 255


def ssim(x, y):
    taps = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    window = (torch.outer(taps, taps) / taps.sum() ** 2).expand(x.shape[1], 1, 11, 11)
    mean = lambda maps: F.conv2d(maps, window, groups=x.shape[1])
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return ((2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))).mean()


def layers(network, x):
    """What the eight rectifiers of the discriminator give."""
    out = []
    for layer in network.features:
        x = layer(x)
        if isinstance(layer, torch.nn.LeakyReLU):
            out.append(x)
    return out


def feature_matching(network, x, y):
    with torch.no_grad():
        real = layers(network, y)
    return sum(F.l1_loss(a, b) for a, b in zip(layers(network, x), real))


def ldl(x, ema, y):
    def variance(maps):
        windows = F.pad(maps, [3] * 4, mode="reflect").unfold(2, 7, 1).unfold(3, 7, 1)
        return windows.var(dim=(-1, -2), unbiased=True)

    with torch.no_grad():
        own, averaged = ((y - picture).abs().sum(1, keepdim=True) for picture in (x, ema))
        weight = own.var(dim=(-1, -2, -3), keepdim=True) ** (1 / 5) * variance(own)
        weight[own < averaged] = 0
    return F.l1_loss(weight * x, weight * y)


def pictures(vgg, network, hr, ema):
    """The losses of sr."""
    cases = {
        "pixel_l1": lambda x: F.l1_loss(x, hr),
        "pixel_mse": lambda x: F.mse_loss(x, hr),
        "pixel_charbonnier": lambda x: charbonnier(x, hr, 1e-3),
        "pixel_huber": lambda x: F.huber_loss(x, hr, delta=0.3),
        "histogram": lambda x: hellinger(histogram(x, 64, 0.02), histogram(hr, 64, 0.02)),
        "total_variation": total_variation,
        "frequency": lambda x: fourier(x, hr),
        "focal_frequency": lambda x: focal_frequency(x, hr, 1.0),
        "focal_frequency_half": lambda x: focal_frequency(x, hr, 0.5),
        "ssim_rgb": lambda x: 1 - ssim(x, hr),
        "ssim_y": lambda x: 1 - ssim(luma(x), luma(hr)),
        "feature_matching": lambda x: feature_matching(network, x, hr),
        "ldl": lambda x: ldl(x, ema, hr),
    }
    for layer, depth, distance in [
        ("relu2_2_l1", 9, F.l1_loss),
        ("conv4_3_l1", 24, F.l1_loss),
        ("relu5_4_mse", 36, F.mse_loss),
        ("conv5_4_mse", 35, F.mse_loss),
        ("conv5_4_l1", 35, F.l1_loss),
    ]:
        target = features(vgg, hr, depth)
        cases["content_" + layer] = lambda x, d=depth, t=target, f=distance: f(features(vgg, x, d), t)
    for layer, depth, distance in [("relu1_2_mse", 4, F.mse_loss), ("conv3_1_l1", 11, F.l1_loss)]:
        target = gram(features(vgg, hr, depth))
        cases["style_" + layer] = lambda x, d=depth, t=target, f=distance: f(gram(features(vgg, x, d)), t)
    return cases


def bce(z, label):
    return F.binary_cross_entropy_with_logits(z, torch.full_like(z, label))


# What the discriminator pays for logits of real pictures and of others; the generator for its own; the label of others.
FORMS = {
    "non_saturating": (lambda z: bce(z, 1.0), lambda z: bce(z, 0.0), lambda z: bce(z, 1.0)),
    "saturating": (lambda z: bce(z, 1.0), lambda z: bce(z, 0.0), lambda z: -bce(z, 0.0)),
    "least_squares": (
        lambda z: ((z - 1) ** 2).mean() / 2,
        lambda z: (z**2).mean() / 2,
        lambda z: ((z - 1) ** 2).mean() / 2,
    ),
    "hinge": (lambda z: F.relu(1 - z).mean(), lambda z: F.relu(1 + z).mean(), lambda z: -z.mean()),
    "wasserstein": (lambda z: -z.mean(), lambda z: z.mean(), lambda z: -z.mean()),
}


def logits(real, fake):
    """The adversarial losses: each a function of the logits for HR and SR, and the place of those that have a gradient."""
    cases = {}
    for name, (of_real, of_fake, generator) in FORMS.items():
        plain = lambda r, f, a=of_real, b=of_fake: a(r) + b(f)
        # Relative squares are from 1 and -1 (Jolicoeur-Martineau).
        if name == "least_squares":
            of_fake = lambda z: ((z + 1) ** 2).mean() / 2
        relative = lambda r, f, a=of_real, b=of_fake: a(r - f.mean()) + b(f - r.mean())
        sign = -1 if name == "saturating" else 1
        swapped = (lambda r, f, g=relative: -g(r, f)) if sign < 0 else (lambda r, f, g=relative: g(f, r))
        cases[f"generator_{name}_fake"] = (lambda r, f, g=generator: g(f), 1)
        cases[f"generator_{name}_relative_fake"] = (swapped, 1)
        for place, which in enumerate(["real", "fake"]):
            cases[f"discriminator_{name}_{which}"] = (plain, place)
            cases[f"discriminator_{name}_relative_{which}"] = (relative, place)
    return cases


def slope(network, x):
    x = x.clone().requires_grad_(True)
    return torch.autograd.grad(network(x).sum(), x, create_graph=True)[0].flatten(1)


def penalties(network, sr, hr):
    shares = torch.tensor([0.3, 0.8], dtype=torch.float64).view(2, 1, 1, 1)
    return {
        "gradient_penalty": lambda: ((slope(network, shares * hr + (1 - shares) * sr).norm(dim=1) - 1) ** 2).mean(),
        "r1": lambda: (slope(network, hr) ** 2).sum(1).mean() / 2,
    }


def main():
    torch.manual_seed(0)
    sr, hr = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    real, fake = torch.randn(4, 1) * 3, torch.randn(4, 1) * 3
    ema = (sr + 0.2 * torch.randn(2, 3, 32, 32)).clamp(0, 1)
    out = {"sr": sr, "hr": hr, "ema": ema, "real": real, "fake": fake}
    sr, hr, ema, real, fake = (tensor.double() for tensor in (sr, hr, ema, real, fake))
    vgg, network = vgg19_features(), discriminator()

    def keep(name, value, gradient):
        out[name], out[name + "_gradient"] = value.detach().view(1).float(), gradient.detach().float()

    for name, loss in pictures(vgg, network, hr, ema).items():
        x = sr.clone().requires_grad_(True)
        value = loss(x)
        keep(name, value, torch.autograd.grad(value, x)[0])
    for name, (loss, place) in logits(real, fake).items():
        pair = [real.clone(), fake.clone()]
        pair[place].requires_grad_(True)
        value = loss(*pair)
        keep(name, value, torch.autograd.grad(value, pair[place])[0])
    weights = [values for name, values in network.named_parameters() if name != LARGE]
    for name, loss in penalties(network, sr, hr).items():
        value = loss()
        gradients = torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)
        keep(name, value, torch.cat([gradient.flatten() for gradient in gradients]))
    torch.save(out, HERE / "losses.pth")


if __name__ == "__main__":
    main()
