"""Writes kernels.txt and resize.txt: what crates/data/src/degrade must agree with.

    python3 make.py        (numpy 2.3.5, torch 2.11.0; in this file's folder)

kernels.txt: name, size, first and second sigma (sinc: cutoff, 0), angle, beta, then the weights row after row, from the
matrix form of the formulas in float64; the Bessel function is its integral, summed.
resize.txt: mode, height, width, then the values of three planes, from torch.nn.functional.interpolate in float64.
"""
import numpy as np
import torch

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
