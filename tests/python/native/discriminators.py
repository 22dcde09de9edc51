"""Discriminators, and DCGAN's generator, with the names of leftthomas's, Lornatang's, BasicSR's, pix2pix's and PyTorch's
projects.

The modules of leftthomas and of PyTorch's example end with a sigmoid and the shape [N]; what is compared is the logits.
"""
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, spectral_norm


def stages(c, bias):
    """The convolutions that the two SRGAN discriminators share."""
    layers, c_in = [nn.Conv2d(3, c, 3, 1, 1), nn.LeakyReLU(0.2)], c
    for c_out, stride in [(c, 2), (2 * c, 1), (2 * c, 2), (4 * c, 1), (4 * c, 2), (8 * c, 1), (8 * c, 2)]:
        layers += [nn.Conv2d(c_in, c_out, 3, stride, 1, bias=bias), nn.BatchNorm2d(c_out), nn.LeakyReLU(0.2)]
        c_in = c_out
    return layers


class Leftthomas(nn.Module):
    def __init__(self, c):
        super().__init__()
        head = [nn.AdaptiveAvgPool2d(1), nn.Conv2d(8 * c, 1024, 1), nn.LeakyReLU(0.2), nn.Conv2d(1024, 1, 1)]
        self.net = nn.Sequential(*stages(c, bias=True), *head)

    def forward(self, x):
        return torch.sigmoid(self.net(x).view(x.size(0)))


class Lornatang(nn.Module):
    def __init__(self, c, patch):
        super().__init__()
        self.features = nn.Sequential(*stages(c, bias=False))
        self.classifier = nn.Sequential(
            nn.Linear(8 * c * (patch // 16) ** 2, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 1))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


class VggStyle(nn.Module):
    """BasicSR's VGGStyleDiscriminator."""

    def __init__(self, c_in, c, size):
        super().__init__()
        self.conv0_0 = nn.Conv2d(c_in, c, 3, 1, 1)
        self.conv0_1 = nn.Conv2d(c, c, 4, 2, 1, bias=False)
        self.bn0_1 = nn.BatchNorm2d(c)
        self.widths = [c, 2 * c, 4 * c, 8 * c, 8 * c] + [8 * c] * (size == 256)
        for i in range(1, len(self.widths)):
            before, after = self.widths[i - 1], self.widths[i]
            self.add_module(f"conv{i}_0", nn.Conv2d(before, after, 3, 1, 1, bias=False))
            self.add_module(f"bn{i}_0", nn.BatchNorm2d(after))
            self.add_module(f"conv{i}_1", nn.Conv2d(after, after, 4, 2, 1, bias=False))
            self.add_module(f"bn{i}_1", nn.BatchNorm2d(after))
        self.linear1 = nn.Linear(8 * c * 4 * 4, 100)
        self.linear2 = nn.Linear(100, 1)
        self.lrelu = nn.LeakyReLU(0.2)

    def forward(self, x):
        x = self.lrelu(self.conv0_0(x))
        x = self.lrelu(self.bn0_1(self.conv0_1(x)))
        for i in range(1, len(self.widths)):
            x = self.lrelu(self._modules[f"bn{i}_0"](self._modules[f"conv{i}_0"](x)))
            x = self.lrelu(self._modules[f"bn{i}_1"](self._modules[f"conv{i}_1"](x)))
        return self.linear2(self.lrelu(self.linear1(x.view(x.size(0), -1))))


class UNet(nn.Module):
    """BasicSR's UNetDiscriminatorSN."""

    def __init__(self, c_in, c, norm):
        super().__init__()
        self.conv0 = nn.Conv2d(c_in, c, 3, 1, 1)
        self.conv1 = norm(nn.Conv2d(c, 2 * c, 4, 2, 1, bias=False))
        self.conv2 = norm(nn.Conv2d(2 * c, 4 * c, 4, 2, 1, bias=False))
        self.conv3 = norm(nn.Conv2d(4 * c, 8 * c, 4, 2, 1, bias=False))
        self.conv4 = norm(nn.Conv2d(8 * c, 4 * c, 3, 1, 1, bias=False))
        self.conv5 = norm(nn.Conv2d(4 * c, 2 * c, 3, 1, 1, bias=False))
        self.conv6 = norm(nn.Conv2d(2 * c, c, 3, 1, 1, bias=False))
        self.conv7 = norm(nn.Conv2d(c, c, 3, 1, 1, bias=False))
        self.conv8 = norm(nn.Conv2d(c, c, 3, 1, 1, bias=False))
        self.conv9 = nn.Conv2d(c, 1, 3, 1, 1)

    def forward(self, x):
        act = lambda x: F.leaky_relu(x, 0.2)
        up = lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x0 = act(self.conv0(x))
        x1 = act(self.conv1(x0))
        x2 = act(self.conv2(x1))
        x3 = act(self.conv3(x2))
        x4 = act(self.conv4(up(x3))) + x2
        x5 = act(self.conv5(up(x4))) + x1
        x6 = act(self.conv6(up(x5))) + x0
        return self.conv9(act(self.conv8(act(self.conv7(x6)))))


class NLayer(nn.Module):
    """NLayerDiscriminator of pytorch-CycleGAN-and-pix2pix."""

    def __init__(self, c_in, c, n_layers):
        super().__init__()
        widths = [c] + [c * min(2**n, 8) for n in range(1, n_layers + 1)]
        strides = [2] * (n_layers - 1) + [1]
        model = [nn.Conv2d(c_in, c, kernel_size=4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
        for before, after, stride in zip(widths, widths[1:], strides):
            model += [nn.Conv2d(before, after, kernel_size=4, stride=stride, padding=1, bias=False),
                      nn.BatchNorm2d(after), nn.LeakyReLU(0.2, True)]
        self.model = nn.Sequential(*model, nn.Conv2d(widths[-1], 1, kernel_size=4, stride=1, padding=1))

    def forward(self, x):
        return self.model(x)


class DcganGenerator(nn.Module):
    def __init__(self, nz, ngf, nc):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 8, 4, 1, 0, bias=False), nn.BatchNorm2d(ngf * 8), nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 8, ngf * 4, 4, 2, 1, bias=False), nn.BatchNorm2d(ngf * 4), nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(ngf * 2), nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False), nn.BatchNorm2d(ngf), nn.ReLU(True),
            nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, x):
        return self.main(x)


class DcganDiscriminator(nn.Module):
    def __init__(self, nc, ndf):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(nc, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 2), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, ndf * 4, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 4), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 4, ndf * 8, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 8), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 8, 1, 4, 1, 0, bias=False), nn.Sigmoid())

    def forward(self, x):
        return self.main(x).view(-1, 1).squeeze(1)


def basicsr(state):
    return {"params": state}


def lornatang(state):
    return {"epoch": 3, "psnr": 25.1, "ssim": 0.7, "state_dict": state, "optimizer": {"state": {}, "param_groups": []}}


def case(name, module, layout, config, shape, **more):
    return {"name": name, "module": module, "layout": layout, "config": config, "shape": shape, "train": True, **more}


CASES = [
    case("discriminator_leftthomas", Leftthomas(5), "leftthomas", {"leftthomas_discriminator": {"channels": 5}},
         [3, 3, 41, 52], run=lambda module, x: module.net(x).flatten(1)),
    case("discriminator_lornatang", Lornatang(3, 48), "lornatang", {"discriminator": {"patch": 48, "channels": 3}},
         [3, 3, 48, 48], save=lornatang),
    case("discriminator_vgg_style_128", VggStyle(3, 6, 128), "basicsr",
         {"vgg_style_discriminator": {"patch": 128, "colors": 3, "channels": 6}}, [2, 3, 128, 128], save=basicsr),
    case("discriminator_vgg_style_256", VggStyle(1, 2, 256), "basicsr",
         {"vgg_style_discriminator": {"patch": 256, "colors": 1, "channels": 2}}, [2, 1, 256, 256], save=basicsr),
    case("discriminator_unet", UNet(3, 5, spectral_norm), "basicsr",
         {"unet_discriminator": {"colors": 3, "channels": 5}}, [2, 3, 24, 32], save=basicsr),
    case("discriminator_unet_parametrizations", UNet(1, 4, parametrizations.spectral_norm), "parametrizations",
         {"unet_discriminator": {"colors": 1, "channels": 4}}, [2, 1, 16, 24], save=basicsr, train=False),
    case("discriminator_patchgan", NLayer(6, 3, 3), "pytorch-CycleGAN-and-pix2pix",
         {"patchgan_discriminator": {"colors": 6, "channels": 3, "layers": 3}}, [2, 6, 37, 50]),
    case("discriminator_patchgan_1", NLayer(3, 4, 1), "pytorch-CycleGAN-and-pix2pix",
         {"patchgan_discriminator": {"colors": 3, "channels": 4, "layers": 1}}, [2, 3, 12, 12]),
    case("dcgan_generator", DcganGenerator(11, 12, 3), "pytorch-examples",
         {"dcgan_generator": {"latent": 11, "channels": 12, "colors": 3}}, [3, 11, 1, 1]),
    case("dcgan_discriminator", DcganDiscriminator(2, 6), "pytorch-examples",
         {"dcgan_discriminator": {"colors": 2, "channels": 6}}, [3, 2, 64, 64],
         run=lambda module, x: module.main[:-1](x).flatten(1)),
]
