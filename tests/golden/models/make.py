"""Golden forward passes of Abbe's networks, written with plain PyTorch.

    PYTHONPATH=.libtorch python3 tests/golden/models/make.py

Made with torch 2.11.0 on CPU. Each .pth beside this script is one flat dict of tensors: `state.*` (the weights), `input`,
`output` (of VGG `output.LAYER`) and, after a pass in training mode, `after.*` (batch norm's buffers).
crates/models/tests/golden.rs demands the same output from the same weights. The VGG files hold no weights: both sides
compute them from `hashed`. init.pth holds the first values that a seed gives. The networks are the modules that
`abbe models NAME --python` prints, with bicubic upscaling from its formula in float64.
"""
import sys
from pathlib import Path

import torch
from torch.nn import functional as F

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[2] / "crates/models/python"))
import srcnn
import srresnet
from discriminator import Discriminator
from patchgan_discriminator import PatchGanDiscriminator


def cubic(x):
    """Keys' kernel with a = -0.5."""
    x = x.abs()
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0))


def bicubic_matrix(size, scale):
    """[size * scale, size], replicated border, float64: each input pixel -2 .. size + 1 adds to its clamped column."""
    centre = (torch.arange(size * scale, dtype=torch.float64) + 0.5) / scale - 0.5
    source = torch.arange(-2, size + 2)
    weight = cubic(centre[:, None] - source)
    return torch.zeros(size * scale, size, dtype=torch.float64).index_add_(1, source.clamp(0, size - 1), weight)


def bicubic(lr, scale):
    rows, columns = bicubic_matrix(lr.shape[2], scale), bicubic_matrix(lr.shape[3], scale)
    return (rows @ lr.double() @ columns.T).float()


srcnn.bicubic = srresnet.bicubic = bicubic


def generator(blocks, channels, scale=4, norm="batch", input="lr", bicubic_skip=False):
    return srresnet.SrResNet(scale, blocks, channels, norm, input, bicubic_skip)


def perturb(module):
    """Moves norms, slopes and running statistics off their trivial first values."""
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.02, 0.2)
        elif name.endswith("weight") and tensor.dim() == 1:
            tensor.uniform_(0.2, 1.5)
        elif name.endswith("running_mean") or (name.endswith("bias") and not tensor.any()):
            tensor.uniform_(-0.5, 0.5)


def save(name, **groups):
    """Writes the groups' tensors under `group.key`, a lone tensor under `group`."""
    flat = {}
    for group, value in groups.items():
        tensors = {"": value} if torch.is_tensor(value) else value
        flat |= {f"{group}.{key}".rstrip("."): tensor.clone() for key, tensor in tensors.items()}
    torch.save(flat, HERE / f"{name}.pth")


def golden(name, module, shape, train=False):
    perturb(module)
    state = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    picture = torch.rand(shape)
    with torch.no_grad():
        output = module.train(train)(picture)
    after = dict(module.named_buffers()) if train else {}
    save(name, state=state, input=picture, output=output, after=after)


def hashed(shape, salt, scale):
    """scale * (-0.5 .. 0.5) from an integer hash of the position: float32, the same in every language."""
    i = torch.arange(shape.numel(), dtype=torch.int64)
    h = (i * 2654435761 + salt) % 2**32
    h = h * (h % 65521 + 1) % 2**32
    return ((h.double() / 2**32 - 0.5) * scale).float().view(shape)


def vgg(name, convolutions, layers):
    """torchvision's order; weights uniform with He's variance 2 / fan_in, biases within 0.05."""
    picture = hashed(torch.Size([1, 3, 16, 16]), 99, 4.0)
    x, outputs, c_in, salt = picture, {}, 3, 0
    for stage, (count, c_out) in enumerate(zip(convolutions, [64, 128, 256, 512, 512]), 1):
        for i in range(1, count + 1):
            weight = hashed(torch.Size([c_out, c_in, 3, 3]), salt, (24 / (9 * c_in)) ** 0.5)
            x = F.conv2d(x, weight, hashed(torch.Size([c_out]), salt + 1, 0.1), padding=1)
            outputs[f"conv{stage}_{i}"] = x
            x = x.relu()
            outputs[f"relu{stage}_{i}"] = x
            c_in, salt = c_out, salt + 2
        if stage < 5:
            x = F.max_pool2d(x, 2)
            outputs[f"pool{stage}"] = x
    save(name, input=picture, output={layer: outputs[layer] for layer in layers})


if __name__ == "__main__":
    torch.manual_seed(7)
    save("init", state=generator(1, 4).state_dict())
    torch.manual_seed(0)
    golden("srresnet_none", generator(2, 4, norm="none"), (2, 3, 5, 6))
    golden("srresnet_batch", generator(2, 4, scale=2), (2, 3, 5, 6))
    golden("srresnet_batch_train", generator(2, 4, scale=2), (2, 3, 5, 6), train=True)
    golden("srresnet_bicubic_input", generator(1, 4, norm="none", input="bicubic", scale=2), (1, 3, 5, 6))
    golden("srresnet_bicubic_skip", generator(1, 3, bicubic_skip=True, scale=8), (1, 3, 3, 4))
    golden("srcnn_915", srcnn.Srcnn(4, [9, 1, 5], [8, 4]), (1, 3, 5, 6))
    golden("srcnn_955", srcnn.Srcnn(3, [9, 5, 5], [8, 4]), (1, 3, 5, 6))
    golden("discriminator", Discriminator(32, 1), (3, 3, 32, 32))
    golden("discriminator_train", Discriminator(16, 2), (3, 3, 16, 16), train=True)
    golden("patchgan", PatchGanDiscriminator(3, 2, 3), (2, 3, 40, 33))
    golden("patchgan_train", PatchGanDiscriminator(1, 2, 4), (2, 1, 48, 64), train=True)
    vgg("vgg11", [1, 1, 2, 2, 2], ["relu3_2", "pool4", "conv5_2"])
    vgg("vgg13", [2, 2, 2, 2, 2], ["pool3", "relu5_2"])
    vgg("vgg16", [2, 2, 3, 3, 3], ["conv3_3", "relu5_3"])
    vgg("vgg19", [2, 2, 4, 4, 4], ["relu2_2", "conv3_1", "relu5_4"])
