"""Real-ESRGAN's second-order degradation (arXiv 2107.10833) with OpenCV and numpy on one core, as a peer to measure against.

Reads a picture of SIDE x SIDE RGB pixels, then for each line that holds a number degrades it so many times, and answers
with the seconds that took. The settings are those of experiments/degradations/real-esrgan.toml.
"""
import sys
import time

import cv2
import numpy as np

cv2.setNumThreads(1)
RNG = np.random.default_rng(0)
SCALE = 4
MODES = [cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC]


def chance(probability):
    return RNG.random() < probability


def j1(x):
    """The Bessel function by its integral, on a table of distances."""
    t = (np.arange(64) + 0.5) * np.pi / 64
    return np.cos(t - np.multiply.outer(x, np.sin(t))).mean(-1)


def sinc(size, least):
    cutoff = RNG.uniform(least, np.pi)
    y, x = np.mgrid[:size, :size] - size // 2
    r2, which = np.unique(x * x + y * y, return_inverse=True)
    r = np.sqrt(r2[1:])
    values = np.concatenate([[cutoff**2 / (4 * np.pi)], cutoff * j1(cutoff * r) / (2 * np.pi * r)])
    return values[which].reshape(size, size)


def shaped(size, sigma):
    family = RNG.choice(6, p=[0.45, 0.25, 0.12, 0.03, 0.12, 0.03])
    first = RNG.uniform(*sigma)
    second, angle = (RNG.uniform(*sigma), RNG.uniform(-np.pi, np.pi)) if family % 2 else (first, 0)
    y, x = np.mgrid[:size, :size] - size // 2
    along = (np.cos(angle) * x + np.sin(angle) * y) / first
    across = (np.cos(angle) * y - np.sin(angle) * x) / second
    q = along**2 + across**2
    if family < 2:
        return np.exp(-0.5 * q)
    low, high = (0.5, 4) if family < 4 else (1, 2)
    beta = RNG.uniform(low, 1) if chance(0.5) else RNG.uniform(1, high)
    return np.exp(-0.5 * q**beta) if family < 4 else 1 / (1 + q**beta)


def filtered(picture, kernel):
    return cv2.filter2D(picture, -1, (kernel / kernel.sum()).astype(np.float32), borderType=cv2.BORDER_REFLECT_101)


def blur(picture, sigma):
    size = 2 * RNG.integers(3, 11) + 1
    least = np.pi / 3 if size < 13 else np.pi / 5
    return filtered(picture, sinc(size, least) if chance(0.1) else shaped(size, sigma))


def resize(picture, sides):
    return cv2.resize(picture, (int(sides[1]), int(sides[0])), interpolation=MODES[RNG.integers(3)])


def factor(up, down, low, high):
    draw = RNG.random()
    return RNG.uniform(1, high) if draw < up else RNG.uniform(low, 1) if draw < up + down else 1


def noise(picture, sigma, scale):
    grey = chance(0.4)
    if chance(0.5):
        shape = (*picture.shape[:2], 1) if grey else picture.shape
        noise = RNG.standard_normal(shape, dtype=np.float32) * np.float32(RNG.uniform(*sigma) / 255)
    else:
        clean = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None] if grey else picture
        levels = np.clip(clean * 255, 0, 255).round().astype(np.uint8)
        n = 2 ** np.ceil(np.log2(np.count_nonzero(np.bincount(levels.ravel(), minlength=256))))
        clean = levels.astype(np.float32) / 255
        noise = ((RNG.poisson(clean * n) / n - clean) * RNG.uniform(*scale)).astype(np.float32)
    return np.clip(picture + noise, 0, 1)


def jpeg(picture):
    levels = np.clip(picture * 255, 0, 255).round().astype(np.uint8)
    file = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, int(RNG.integers(30, 96))])[1]
    return cv2.imdecode(file, cv2.IMREAD_COLOR).astype(np.float32) / 255


def sharpened(picture):
    residual = picture - cv2.GaussianBlur(picture, (51, 51), 0)
    mask = cv2.GaussianBlur((np.abs(residual) * 255 > 10).astype(np.float32), (51, 51), 0)
    return mask * np.clip(picture + 0.5 * residual, 0, 1) + (1 - mask) * picture


def final_size(picture, sides):
    picture = resize(picture, sides)
    return filtered(picture, sinc(2 * RNG.integers(3, 11) + 1, np.pi / 3)) if chance(0.8) else picture


def degrade(picture):
    sides = np.array(picture.shape[:2])
    lr = sides // SCALE
    out = blur(sharpened(picture), (0.2, 3))
    out = jpeg(noise(resize(out, sides * factor(0.2, 0.7, 0.15, 1.5)), (1, 30), (0.05, 3)))
    if chance(0.8):
        out = blur(out, (0.2, 1.5))
    out = noise(resize(out, lr * factor(0.3, 0.4, 0.3, 1.2)), (1, 25), (0.05, 2.5))
    out = jpeg(final_size(out, lr)) if chance(0.5) else final_size(jpeg(out), lr)
    return np.clip(out * 255, 0, 255).round().astype(np.uint8)


side = int(sys.argv[1])
pixels = np.frombuffer(sys.stdin.buffer.read(3 * side * side), np.uint8)
hr = pixels.reshape(side, side, 3).astype(np.float32) / 255
for line in sys.stdin.buffer:
    start = time.perf_counter()
    for _ in range(int(line)):
        assert degrade(hr).shape == (side // SCALE, side // SCALE, 3)
    print(time.perf_counter() - start, flush=True)
