"""Makes the goldens of `abbe selfcheck` with PyTorch 2.11.0, torchvision, lpips 0.1.4, Pillow and safetensors.

    PYTHONPATH=.libtorch:.python python3 crates/selfcheck/golden/make.py target/debug/abbe

goldens.pth      networks.*: outputs in float64; lpips.*: distances, losses.*: values and gradients, likewise;
                 optimizers.*: parameters and state after 100 steps in float32; resampling.*: what Pillow makes of a
                 picture; random.patches: picture, top and left of training patches.
torch_zip.pth, torch_legacy.pth, tensors.safetensors: one state dict, as PyTorch and safetensors write it.
Weights, pictures and gradients are `hashed`, which the Rust side repeats. Networks are those that the program prints.
"""
import pathlib
import subprocess
import sys
from functools import partial

import lpips
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
ABBE = sys.argv[1]
NETWORKS = ["srcnn", "fsrcnn", "srresnet", "msrresnet", "edsr", "rcan", "rrdbnet", "srvgg", "discriminator"]
INPUT = 1000  # salts of inputs begin here; those of weights are their places in the state dict


def hashed(shape, salt, width):
    """Numbers of [-width/2, width/2) that depend on salt and place, in float32."""
    h = (torch.arange(torch.Size(shape).numel(), dtype=torch.int64) * 2654435761 + salt * 40503) % 2**32
    h = h * (h % 65521 + 1) % 2**32
    return ((h.double() / 2**32 - 0.5) * width).float().view(shape)


def weight(name, tensor, salt):
    """Kernels and matrices of variance 1 / fan_in; slopes and scales about 1/2, variances about 1, the rest about 0."""
    if tensor.ndim == 0:
        return tensor
    if tensor.ndim > 1:
        return hashed(tensor.shape, salt, (12 / (tensor.numel() // tensor.shape[0])) ** 0.5)
    if name.endswith("running_var"):
        return hashed(tensor.shape, salt, 0.5) + 1
    return hashed(tensor.shape, salt, 0.5) + 0.5 if name.endswith("weight") else hashed(tensor.shape, salt, 0.1)


def filled(module):
    state = module.state_dict()
    module.load_state_dict({name: weight(name, state[name], salt) for salt, name in enumerate(state)})
    return module.eval().requires_grad_(False).double()


def python(network):
    """The namespace of the code that Abbe prints for a network; `model` is the network."""
    names = {}
    printed = subprocess.run([ABBE, "models", network, "--python"], check=True, capture_output=True, text=True)
    exec(printed.stdout, names)
    return names


def networks(vgg):
    for name in NETWORKS:
        model = filled(python(name)["model"])
        channels = next(model.parameters()).shape[1]
        shape = [2, channels, 96, 96] if name == "discriminator" else [1, channels, 8, 9]
        yield name, model((hashed(shape, INPUT, 1) + 0.5).double()).float()
    yield "vgg19", vgg[:36](hashed([1, 3, 32, 32], INPUT, 4).double()).float()


def distances():
    """Of the package, with its linear weights."""
    x, y = ((hashed([1, 3, 64, 72], INPUT + i, 1) + 0.5).double() for i in (0, 1))
    for net in "alex", "vgg", "squeeze":
        metric = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval().double()
        filled(metric.net)
        yield net, metric(x, y, normalize=True).detach().view(1).float()


def content(vgg, sr, hr, depth, distance):
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    features = lambda x: vgg[:depth]((x - mean) / std)
    return distance(features(sr), features(hr))


def losses(vgg):
    sr, hr = ((hashed([2, 3, 32, 32], INPUT + i, 1) + 0.5).double() for i in (0, 1))
    real, fake = (hashed([4, 1], INPUT + i, 12).double() for i in (2, 3))
    one, zero, bce = torch.ones_like(real), torch.zeros_like(real), F.binary_cross_entropy_with_logits
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
    for name, (loss, variable) in cases.items():
        x = variable.clone().requires_grad_(True)
        value = loss(x)
        value.backward()
        yield f"{name}.value", value.detach().view(1).float()
        yield f"{name}.gradient", x.grad.float()


def optimizers():
    """A hundred steps on two tensors with given gradients, and what the optimiser then holds of each."""
    moments, sgd = ["exp_avg", "exp_avg_sq"], partial(torch.optim.SGD, lr=1e-2, momentum=0.9, weight_decay=0.1)
    cases = {
        "adam": (partial(torch.optim.Adam, lr=1e-2, betas=(0.9, 0.999), eps=1e-8), moments),
        "adamw": (partial(torch.optim.AdamW, lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1), moments),
        "sgd": (sgd, ["momentum_buffer"]),
        "nesterov": (partial(sgd, nesterov=True), ["momentum_buffer"]),
    }
    for name, (make, fields) in cases.items():
        parameters = [hashed(shape, INPUT + i, 4).requires_grad_() for i, shape in enumerate([(7, 5), (11,)])]
        optimizer = make(parameters, fused=False, foreach=False)
        for step in range(100):
            for i, (parameter, width) in enumerate(zip(parameters, (4, 4e-3))):
                parameter.grad = hashed(parameter.shape, INPUT + 2 + 2 * step + i, width)
            optimizer.step()
        for i, parameter in enumerate(parameters):
            yield f"{name}.{i}.parameter", parameter.detach()
            yield from ((f"{name}.{i}.{field}", optimizer.state[parameter][field]) for field in fields)


def resampling():
    """Of 24 x 36 numbers, far enough from the border for kernels as wide as 6 samples: Pillow leaves out what lies beyond."""
    picture = Image.fromarray((hashed([24, 36], INPUT, 1) + 0.5).numpy())
    methods = {"box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos3": Image.LANCZOS}
    for name, method in methods.items():
        for size, margin in {(12, 18): 3, (8, 12): 3, (48, 72): 7}.items():
            resized = bytearray(picture.resize(size[::-1], method).tobytes())
            pixels = torch.frombuffer(resized, dtype=torch.float32).view(size)
            yield f"{name}.{size[0]}x{size[1]}", pixels[margin:-margin, margin:-margin].clone()


def chacha8(key):
    """The 32-bit words of a ChaCha stream of 8 rounds, nonce 0 (Bernstein 2008)."""
    block = 0
    while True:
        begin = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key, block, 0, 0, 0]
        x = list(begin)
        for _ in range(4):
            for lane in (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), \
                    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14):
                a, b, c, d = lane
                for p, q, r, turn in (a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7):
                    x[p] = (x[p] + x[q]) % 2**32
                    x[r] = (x[r] ^ x[p]) << turn
                    x[r] = (x[r] | x[r] >> 32) % 2**32
        yield from ((u + v) % 2**32 for u, v in zip(x, begin))
        block += 1


def below(words, limit):
    """Lemire 2019."""
    while True:
        product = next(words) * limit
        if product % 2**32 >= 2**32 % limit:
            return product // 2**32


def patches():
    """Picture, top and left (in LR pixels) of LR patches of 12 x 12; LR pictures of 20 x 31, 40 x 25 and 33 x 33."""
    rows = []
    for index in range(64):
        numbers = [2**40 + 7, 0, 2**33 + index // 8, index % 8]  # seed, purpose, step, index
        words = chacha8([part for number in numbers for part in (number % 2**32, number // 2**32)])
        picture = below(words, 3)
        rows.append([picture, *(below(words, side - 12 + 1) for side in [(20, 31), (40, 25), (33, 33)][picture])])
    return torch.tensor(rows)


def state_dict():
    """Every type that networks are saved in, with numbers that each of them holds; a view, a shared storage, a scalar."""
    numbers = torch.arange(24).mul(5).remainder(17).sub(8)
    types = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16}
    state = {name: (numbers / 4).to(kind).view(2, 3, 4) for name, kind in types.items()}
    state |= {"turned": state["f32"].permute(2, 0, 1), "part": state["f32"].view(-1)[5:12]}
    return state | {"i64": numbers, "u8": (numbers + 8).to(torch.uint8), "steps": torch.tensor(7)}


if __name__ == "__main__":
    vgg = filled(python("vgg")["Vgg"]("vgg19", None)).features
    torch.save(
        {
            **{f"networks.{name}": value for name, value in networks(vgg)},
            **{f"lpips.{name}": value for name, value in distances()},
            **{f"losses.{name}": value for name, value in losses(vgg)},
            **{f"optimizers.{name}": value for name, value in optimizers()},
            **{f"resampling.{name}": value for name, value in resampling()},
            "random.patches": patches(),
        },
        HERE / "goldens.pth",
    )
    torch.save(state_dict(), HERE / "torch_zip.pth")
    torch.save(state_dict(), HERE / "torch_legacy.pth", _use_new_zipfile_serialization=False)
    own = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in state_dict().items()}
    save_file(own, HERE / "tensors.safetensors")
