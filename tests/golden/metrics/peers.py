"""Golden metrics of two pictures made by a formula, by piq, torchmetrics and scikit-image.

    python3 tests/golden/metrics/peers.py

It needs numpy, torch, piq==0.8.0, torchmetrics==1.9.0, scikit-image==0.26.0 and pyiqa==0.1.16 (with opencv-python).

All in float64. set5.json has the same of bicubic x4 on the pictures of Set5, where ../shared has them, with the border y-crop4
in place of y: the tables there were made in float32, whose last digits are not right. peers.json has, by size and protocol,
every metric: of these libraries where they have it; MATLAB's SSIM, with its replicated border, and what is left of LR (of a
third of HR's sides) are computed with numpy alone. rgb is the three channels in [0, 1] with the libraries' defaults, y is the
rounded Y of BT.601 over 255 as a picture of one channel. niqe is of sr alone, of its rounded luma in full range or of that Y,
with the parameters in crates/eval/parameters/niqe.
crates/eval/src/metric/tests.rs and `abbe selfcheck` make the same pictures and demand the same.
"""
import json
from pathlib import Path

import numpy as np
import piq
import pyiqa.archs.niqe_arch as pyiqa_niqe
import torch
from make import bicubic, psnr, read_png, ssim
from pyiqa.archs.ssim_arch import SSIM
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

HERE = Path(__file__).parent
SET5 = HERE.parents[3] / "shared/data/Set5"
PRISTINE = np.fromfile(HERE.parents[2] / "crates/eval/parameters/niqe/pristine.f64", "<f8")
SIZES = [(183, 177), (391, 402)]


def hr(y, x, c):
    return (3 * y * y + 2 * x * x + 7 * x * y + 40 * c * x) // 64 % 256


def sr(y, x, c):
    return (3 * hr(y, x, c) + hr(y, x + 1, c)) // 4


def luma(picture):
    r, g, b = (picture[..., channel : channel + 1] for channel in range(3))
    return np.floor(16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255 + 0.5)


def normalised(image, padding):
    """Of NIQE. pyiqa's window is in float32 and does not add up to 1; BasicSR's does but for rounding. So neither has 0 where a
    picture is flat, and the signs that they have there count: on two of Set5 they differ by 0.3 %. Here it is 0."""
    taps = torch.exp(-torch.arange(-3.0, 4.0, dtype=torch.float64).square() / (2 * (7 / 6) ** 2))
    window = (torch.outer(taps, taps) / taps.sum() ** 2)[None, None]

    def local(values):
        return torch.conv2d(torch.nn.functional.pad(values, [3] * 4, mode=padding), window)

    mean = local(image)
    found = (image - mean) / ((local(image.square()) - mean.square()).abs().sqrt() + 1)
    return found.where(found.abs() > 1e-10, 0.0)


def halved(image, scale, antialiasing):
    """pyiqa's imresize works in float32, which is 4e-5 levels off."""
    assert scale == 0.5 and antialiasing
    weights = torch.tensor([-3.0, -9.0, 29.0, 111.0, 111.0, 29.0, -9.0, -3.0], dtype=torch.float64) / 256
    for _ in range(2):  # rows, then columns
        mirrored = torch.cat([image[:, :, :3].flip(2), image, image[:, :, -3:].flip(2)], 2)
        image = torch.conv2d(mirrored, weights.view(1, 1, 8, 1), stride=(2, 1)).transpose(2, 3)
    return image


def niqe_of(picture):
    r, g, b = (picture[..., [channel % picture.shape[2]]] for channel in range(3))
    grey = np.floor(0.299 * r + 0.587 * g + 0.114 * b + 0.5)
    mean, covariance = (torch.from_numpy(part)[None] for part in (PRISTINE[:36], PRISTINE[36:].reshape(36, 36)))
    torch.set_default_dtype(torch.float64)  # in which it makes its table of shapes
    pyiqa_niqe.normalize_img_with_gauss, pyiqa_niqe.imresize = normalised, halved
    found = pyiqa_niqe.niqe(torch.from_numpy(grey).permute(2, 0, 1)[None], mean, covariance)
    torch.set_default_dtype(torch.float32)
    return found


def scores(a, b):
    colour = a.shape[2] == 3
    x, y = (torch.from_numpy(picture / 255).permute(2, 0, 1)[None] for picture in (a, b))
    found = {
        "psnr": peak_signal_noise_ratio(b, a, data_range=255),
        "ssim": piq.ssim(x, y, downsample=False),
        "ssim_matlab": ssim(*(np.pad(picture, ((5, 5), (5, 5), (0, 0)), "edge") for picture in (a, b))),
        "ssim_pyiqa": SSIM(test_y_channel=False)(x, y),
        "ms_ssim": piq.multi_scale_ssim(x, y),
        "gmsd": piq.gmsd(x, y),
        "vifp": piq.vif_p(x, y),
        "haarpsi": piq.haarpsi(x, y),
        "fsim": piq.fsim(x, y, chromatic=False),
        "mdsi": piq.mdsi(x, y),
        "ssim_torchmetrics": structural_similarity_index_measure(x, y, data_range=1.0),
        "ssim_skimage": structural_similarity(a, b, data_range=255, channel_axis=2),
    }
    if colour:
        found["fsimc"] = piq.fsim(x, y)
    if a.shape[0] // 96 * (a.shape[1] // 96) > 1:  # blocks
        found["niqe"] = niqe_of(a)
    return {name: float(value) for name, value in found.items()}


def lr_psnr(pictures, samples):
    lr, hr = (samples(bicubic(picture, *(side // 3 for side in picture.shape[:2]), "edge")) for picture in pictures)
    return float(psnr(lr, hr))


def write(name, golden):
    (HERE / name).write_text(json.dumps(golden, indent=2) + "\n")


def of_formula(size):
    at = np.meshgrid(*map(np.arange, size), np.arange(3), indexing="ij")
    pictures = [version(*at).astype(np.float64) for version in (sr, hr)]
    of = lambda samples: scores(*map(samples, pictures)) | {"lr_psnr": lr_psnr(pictures, samples)}
    return {"rgb": of(lambda picture: picture), "y": of(luma)}


def of_set5(path):
    hr, lr = read_png(path), read_png(SET5 / "LR_x4" / path.name)
    pictures = [picture.astype(np.float64) for picture in (bicubic(lr, *hr.shape[:2], "symmetric"), hr)]
    return {"rgb": scores(*pictures), "y-crop4": scores(*(luma(picture)[4:-4, 4:-4] for picture in pictures))}


if __name__ == "__main__":
    write("peers.json", {"x".join(map(str, size)): of_formula(size) for size in SIZES})
    if SET5.is_dir():
        write("set5.json", {path.name: of_set5(path) for path in sorted((SET5 / "HR_x4").iterdir())})
