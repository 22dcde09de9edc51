"""Writes kernels.txt, resize.txt, sharpen.txt and jpeg.txt: what crates/data/src/degrade must agree with.

    python3 make.py        (numpy 2.3.5, torch 2.11.0, Pillow 13.0.0; in this file's folder)

kernels.txt: name, size, first and second sigma (sinc: cutoff, 0), angle, beta, then the weights row after row, from the
matrix form of the formulas in float64; the Bessel function is its integral, summed.
resize.txt: mode, height, width, then the values of three planes, from torch.nn.functional.interpolate in float64.
sharpen.txt: weight, radius, threshold, then the values of three planes, from the formula in float64, the blur in one pass.
jpeg.txt: quality, then the pixels that come out of libjpeg by way of Pillow, 4:2:0.
"""
import io

import numpy as np
import torch
from PIL import Image

SIZES = [(2, 3), (4, 5), (6, 7), (9, 16)]


def distances(size, sigma, angle):
    """Squared Mahalanobis distances from the covariance matrix R diag(sigma^2) R^T."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inverse = np.linalg.inv(turn @ np.diag(np.square(sigma)) @ turn.T)
    y, x = np.mgrid[:size, :size] - size // 2
    points = np.stack([x, y], axis=-1).astype(float)
    return np.einsum("yxi,ij,yxj->yx", points, inverse, points)


def bessel_j1(x):
    """(1/pi) * integral of cos(t - x sin t) over t in [0, pi]; the trapezoid rule is exact to rounding here."""
    t = np.linspace(0, np.pi, 2001)
    values = np.cos(t - np.multiply.outer(x, np.sin(t)))
    return (values[..., :-1] + values[..., 1:]).sum(-1) / 2 / 2000


def sinc(size, cutoff):
    y, x = np.mgrid[:size, :size] - size // 2
    r = np.hypot(x, y)
    r[size // 2, size // 2] = 1
    kernel = cutoff * bessel_j1(cutoff * r) / (2 * np.pi * r)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * np.pi)
    return kernel


def kernel_cases():
    for size, sigma, angle in [(7, (0.2, 0.2), 0), (9, (3, 3), 0), (7, (0.7, 2.9), -2.5), (13, (2.4, 0.5), 0.6)]:
        yield "gaussian", size, *sigma, angle, 1, np.exp(-0.5 * distances(size, sigma, angle))
    for size, sigma, angle, beta in [(9, (1.3, 1.3), 0, 0.5), (7, (2.5, 0.8), 1.1, 3.7)]:
        yield "generalised_gaussian", size, *sigma, angle, beta, np.exp(-0.5 * distances(size, sigma, angle) ** beta)
    for size, sigma, angle, beta in [(7, (1.3, 1.3), 0, 1), (9, (2.5, 0.8), -0.4, 1.9)]:
        yield "plateau", size, *sigma, angle, beta, 1 / (1 + distances(size, sigma, angle) ** beta)
    for size, cutoff in [(7, np.pi / 3), (11, 2.2), (21, np.pi / 5), (21, np.pi)]:
        yield "sinc", size, cutoff, 0, 0, 0, sinc(size, cutoff)


def picture():
    """[3, 6, 11], the same formula as in the Rust test."""
    c, y, x = np.mgrid[:3, :6, :11]
    return (37 * y * y + 11 * x * x + 5 * x * y + 83 * c + 7) % 256 / 255


def blurred(planes, side):
    sigma = 0.3 * ((side - 1) * 0.5 - 1) + 0.8
    kernel = np.exp(-0.5 * distances(side, (sigma, sigma), 0))
    around = ((0, 0), (side // 2, side // 2), (side // 2, side // 2))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(planes, around, "reflect"), (side, side), (1, 2))
    return np.einsum("cyxij,ij->cyx", windows, kernel / kernel.sum())


def sharpened(planes, weight, radius, threshold):
    side = radius + 1 if radius % 2 == 0 else radius
    residual = planes - blurred(planes, side)
    share = blurred((np.abs(residual) * 255 > threshold).astype(float), side)
    return share * np.clip(planes + weight * residual, 0, 1) + (1 - share) * planes


def photograph():
    """[32, 48, 3], the same formula as in the Rust test."""
    y, x = np.mgrid[:32, :48]
    texture = np.where((x // 16 + y // 16) % 2 == 0, x * y % 64, 0)
    return np.stack([4 * x % 200 + texture // 2, 3 * y % 256, 40 + texture], axis=-1).astype(np.uint8)


with open("kernels.txt", "w") as file:
    for *head, kernel in kernel_cases():
        print(*head, *(f"{weight:.9f}" for weight in (kernel / kernel.sum()).ravel()), file=file)

with open("resize.txt", "w") as file:
    source = torch.from_numpy(picture())[None]
    for mode in ["area", "bilinear", "bicubic"]:
        for size in SIZES:
            smooth = {} if mode == "area" else {"align_corners": False}
            out = torch.nn.functional.interpolate(source, size=size, mode=mode, **smooth)
            print(mode, *size, *(f"{value:.7f}" for value in out.flatten().tolist()), file=file)

with open("sharpen.txt", "w") as file:
    for settings in [(0.5, 50, 10), (0.5, 5, 20), (2, 3, 60)]:
        print(*settings, *(f"{value:.7f}" for value in sharpened(picture(), *settings).ravel()), file=file)

with open("jpeg.txt", "w") as file:
    for quality in [30, 62, 95]:
        buffer = io.BytesIO()
        Image.fromarray(photograph()).save(buffer, "JPEG", quality=quality, subsampling=2)
        print(quality, *np.asarray(Image.open(buffer)).ravel(), file=file)
