"""Golden forward passes of Abbe's networks, written with plain PyTorch.

    PYTHONPATH=.libtorch python3 tests/golden/models/make.py

Made with torch 2.11.0 on CPU. Each .pth beside this script is one flat dict of tensors: `state.*` (the weights), `input`,
`output` (of VGG `output.LAYER`) and, after a pass in training mode, `after.*` (batch norm's buffers).
crates/models/tests/golden.rs demands the same output from the same weights. The VGG files hold no weights: both sides
compute them from `hashed`. init.pth holds the first values that a seed gives.
"""
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent


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


def upscale(lr, scale):
    rows, columns = bicubic_matrix(lr.shape[2], scale), bicubic_matrix(lr.shape[3], scale)
    return (rows @ lr.double() @ columns.T).float()


class ResidualBlock(nn.Module):
    def __init__(self, channels, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        if norm:
            self.bn1 = nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        if norm:
            self.bn2 = nn.BatchNorm2d(channels)
        self.norm = norm

    def forward(self, x):
        y = self.conv1(x)
        y = self.conv2(self.prelu(self.bn1(y) if self.norm else y))
        return x + (self.bn2(y) if self.norm else y)


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.prelu = nn.PReLU()

    def forward(self, x):
        return self.prelu(F.pixel_shuffle(self.conv(x), 2))


class SrResNet(nn.Module):
    def __init__(self, scale, blocks, channels, norm, bicubic_input, bicubic_skip):
        super().__init__()
        c_in = 3 * scale**2 if bicubic_input else 3
        self.head = nn.Sequential(nn.Conv2d(c_in, channels, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*[ResidualBlock(channels, norm) for _ in range(blocks)])
        fuse = [nn.Conv2d(channels, channels, 3, padding=1)] + ([nn.BatchNorm2d(channels)] if norm else [])
        self.fuse = nn.Sequential(*fuse)
        self.upsample = nn.Sequential(*[Upsample(channels) for _ in range(scale.bit_length() - 1)])
        self.tail = nn.Conv2d(channels, 3, 9, padding=4)
        self.scale, self.bicubic_input, self.bicubic_skip = scale, bicubic_input, bicubic_skip

    def forward(self, lr):
        h = self.head(F.pixel_unshuffle(upscale(lr, self.scale), self.scale) if self.bicubic_input else lr)
        sr = self.tail(self.upsample(self.fuse(self.body(h)) + h))
        return sr + upscale(lr, self.scale) if self.bicubic_skip else sr


class Srcnn(nn.Module):
    def __init__(self, scale, kernels, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels[0], kernels[0], padding=kernels[0] // 2)
        self.conv2 = nn.Conv2d(channels[0], channels[1], kernels[1], padding=kernels[1] // 2)
        self.conv3 = nn.Conv2d(channels[1], 3, kernels[2], padding=kernels[2] // 2)
        self.scale = scale

    def forward(self, lr):
        return self.conv3(self.conv2(self.conv1(upscale(lr, self.scale)).relu()).relu())


class Discriminator(nn.Module):
    def __init__(self, patch, channels):
        super().__init__()
        layers, c_in = [nn.Conv2d(3, channels, 3, 1, 1), nn.LeakyReLU(0.2)], channels
        for width, stride in [(1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2)]:
            c_out = width * channels
            layers += [nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.LeakyReLU(0.2)]
            c_in = c_out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(c_in * (patch // 16) ** 2, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 1))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


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
    save("init", state=SrResNet(4, 1, 4, True, False, False).state_dict())
    torch.manual_seed(0)
    golden("srresnet_none", SrResNet(4, 2, 4, False, False, False), (2, 3, 5, 6))
    golden("srresnet_batch", SrResNet(2, 2, 4, True, False, False), (2, 3, 5, 6))
    golden("srresnet_batch_train", SrResNet(2, 2, 4, True, False, False), (2, 3, 5, 6), train=True)
    golden("srresnet_bicubic_input", SrResNet(2, 1, 4, False, True, False), (1, 3, 5, 6))
    golden("srresnet_bicubic_skip", SrResNet(8, 1, 3, True, False, True), (1, 3, 3, 4))
    golden("srcnn_915", Srcnn(4, [9, 1, 5], [8, 4]), (1, 3, 5, 6))
    golden("srcnn_955", Srcnn(3, [9, 5, 5], [8, 4]), (1, 3, 5, 6))
    golden("discriminator", Discriminator(32, 1), (3, 3, 32, 32))
    golden("discriminator_train", Discriminator(16, 2), (3, 3, 16, 16), train=True)
    vgg("vgg11", [1, 1, 2, 2, 2], ["relu3_2", "pool4", "conv5_2"])
    vgg("vgg13", [2, 2, 2, 2, 2], ["pool3", "relu5_2"])
    vgg("vgg16", [2, 2, 3, 3, 3], ["conv3_3", "relu5_3"])
    vgg("vgg19", [2, 2, 4, 4, 4], ["relu2_2", "conv3_1", "relu5_4"])
