"""LPIPS 0.1 (Zhang et al., arXiv 1801.03924) in float64, over torchvision's networks with weights that are drawn at random.

`python3 perceptual.py NET FOLDER` writes `backbone.pth`, `linear.pth` and `pictures.pth`, and prints a line for each pair of
batches in it, `x0` and `y0`, ...: the distance of each picture of one to that of the other.
"""

import sys

import torch
import torchvision

# The layers that are compared (indices under `features`) and their channels.
NETS = {
    "alex": ("alexnet", {1: 64, 4: 192, 7: 384, 9: 256, 11: 256}),
    "vgg": ("vgg16", {3: 64, 8: 128, 15: 256, 22: 512, 29: 512}),
    "squeeze": ("squeezenet1_1", {1: 64, 4: 128, 7: 256, 9: 384, 10: 384, 11: 512, 12: 512}),
}


def backbone(name):
    """torchvision's convolutions; the dense layers are never given memory."""
    with torch.device("meta"):
        features = getattr(torchvision.models, name)().features
    features.to_empty(device="cpu")
    for values in features.parameters():
        if values.dim() == 4:
            torch.nn.init.kaiming_normal_(values)
        else:
            torch.nn.init.normal_(values, std=0.05)
    return features


def distance(features, linear, x, y):
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(3, 1, 1)
    x, y = [(picture.double() - mean) / deviation for picture in (x, y)]
    total = 0
    for i, layer in enumerate(features[: max(linear) + 1]):
        x, y = layer(x.clone()), layer(y.clone())  # some layers work in place
        if i in linear:
            a, b = [maps / ((maps * maps).sum(1, keepdim=True).sqrt() + 1e-10) for maps in (x, y)]
            total = total + torch.einsum("nchw,c->nhw", (a - b) ** 2, linear[i]).mean((1, 2))
    return total.tolist()


def pairs():
    """Noise, nothing but black against it, and pictures that hardly differ; odd sizes and small ones."""
    yield torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    yield torch.rand(1, 3, 31, 45), torch.zeros(1, 3, 31, 45)
    waves = torch.sin(torch.arange(3 * 97 * 131) / 40).view(1, 3, 97, 131) / 2 + 0.5
    yield waves, (waves * 255 + torch.randint(-2, 3, waves.shape)).round().clamp(0, 255) / 255
    yield waves, waves.flip(1)
    yield torch.rand(1, 3, 150, 67).round(), waves[:, :, :67, :].transpose(2, 3).repeat(1, 1, 2, 1)[:, :, :150]


if __name__ == "__main__":
    net, folder = sys.argv[1:]
    torch.manual_seed(0)
    torch.set_num_threads(1)
    name, channels = NETS[net]
    features = backbone(name)
    linear = {i: torch.rand(count) * (torch.rand(count) < 0.7) for i, count in channels.items()}
    state = {f"features.{key}": values for key, values in features.state_dict().items()}
    torch.save({**state, "classifier.1.weight": torch.zeros(2, 2)}, f"{folder}/backbone.pth")
    lins = {f"lin{k}.model.1.weight": weight.view(1, -1, 1, 1) for k, weight in enumerate(linear.values())}
    torch.save(lins, f"{folder}/linear.pth", _use_new_zipfile_serialization=False)
    features, linear = features.double(), {i: weight.double() for i, weight in linear.items()}
    pictures = {}
    for i, (x, y) in enumerate(pairs()):
        pictures |= {f"x{i}": x.contiguous(), f"y{i}": y.contiguous()}
        with torch.no_grad():
            print(*distance(features, linear, x, y))
    torch.save(pictures, f"{folder}/pictures.pth")
