"""Golden metrics of bicubic x4, written with numpy alone.

    python3 tests/golden/metrics/make.py        (needs numpy, and photographs/ from `cargo xtask setup`)

hr.png is a crop of the CC0 photograph chelsea, lr.png that crop made smaller (replicated border). scores.json has PSNR in dB
and SSIM of lr.png made larger again (mirrored border) against hr.png, by protocol. crates/eval/src/score.rs demands the same.
"""
import json
import struct
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
PHOTOGRAPH = HERE.parents[2] / "photographs/test/chelsea.png"
TOP, LEFT, SIDE, SCALE = 64, 96, 96, 4
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def paeth(a, b, c):
    return min((a, b, c), key=lambda value: abs(a + b - c - value))


def read_png(path):
    """[height, width, 3] of a PNG file of 8-bit RGB that is not interlaced."""
    data, at, packed = path.read_bytes(), len(SIGNATURE), b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        chunk = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, *form = struct.unpack(">IIBBBBB", chunk)
            assert form == [8, 2, 0, 0, 0], form
        packed += chunk if kind == b"IDAT" else b""
        at += length + 12
    raw, stride = zlib.decompress(packed), 3 * width
    rows, above = [], bytes(stride)
    for y in range(height):
        kind, *row = raw[y * (stride + 1) : (y + 1) * (stride + 1)]
        for i in range(stride):
            left, corner = (row[i - 3], above[i - 3]) if i >= 3 else (0, 0)
            up = above[i]
            row[i] = (row[i] + (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]) % 256
        rows.append(row)
        above = row
    return np.array(rows, np.uint8).reshape(height, width, 3)


def write_png(path, picture):
    height, width, _ = picture.shape
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    # Filter 1: the difference to the pixel on the left, which packs better than the pixels themselves.
    left = np.pad(picture, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    rows = b"".join(b"\1" + row.tobytes() for row in picture - left)
    path.write_bytes(SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def resampling(n_in, n_out, mode):
    """[n_out, n_in]: Keys' cubic with a = -0.5, stretched when the result is smaller; `mode` is np.pad's border."""
    step = n_in / n_out
    stretch = max(step, 1)
    centre = (np.arange(n_out) + 0.5) * step - 0.5
    beyond = int(2 * stretch) + 1
    x = np.abs(centre[:, None] - np.arange(-beyond, n_in + beyond)) / stretch
    weight = np.where(x < 1, 1 + x * x * (1.5 * x - 2.5), np.where(x < 2, 2 - 4 * x + x * x * (2.5 - 0.5 * x), 0))
    matrix = np.zeros((n_out, n_in))
    np.add.at(matrix.T, np.pad(np.arange(n_in), beyond, mode), weight.T)
    return matrix / weight.sum(1, keepdims=True)


def rounded(x):
    """To whole numbers of 8 bits, halves up."""
    return np.floor(x + 0.5).clip(0, 255)


def bicubic(picture, height, width, mode):
    """Columns first, then rows, each pass rounded to 8 bits."""
    columns = rounded(np.einsum("oh,hwc->owc", resampling(picture.shape[0], height, mode), picture))
    return rounded(np.einsum("ow,hwc->hoc", resampling(picture.shape[1], width, mode), columns)).astype(np.uint8)


def y_crop4(picture):
    y = rounded(16 + picture @ np.array([65.481, 128.553, 24.966]) / 255)
    return y[4:-4, 4:-4, None]


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


def ssim(a, b):
    """Wang et al. 2004: a Gaussian window of 11 x 11 with sigma 1.5 wholly inside; the mean over positions and channels."""
    distance = np.arange(11) - 5
    window = np.exp(-(distance[:, None] ** 2 + distance**2) / (2 * 1.5**2))
    window /= window.sum()
    under = lambda x: np.einsum("yxcij,ij->yxc", np.lib.stride_tricks.sliding_window_view(x, (11, 11), (0, 1)), window)
    a, b = a.astype(float), b.astype(float)
    mean_a, mean_b = under(a), under(b)
    var_a, var_b, covariance = under(a * a) - mean_a**2, under(b * b) - mean_b**2, under(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return np.mean(luminance * (2 * covariance + c2) / (var_a + var_b + c2))


if __name__ == "__main__":
    hr = read_png(PHOTOGRAPH)[TOP : TOP + SIDE, LEFT : LEFT + SIDE]
    lr = bicubic(hr, SIDE // SCALE, SIDE // SCALE, "edge")
    sr = bicubic(lr, SIDE, SIDE, "symmetric")
    write_png(HERE / "hr.png", hr)
    write_png(HERE / "lr.png", lr)
    assert (read_png(HERE / "hr.png") == hr).all() and (read_png(HERE / "lr.png") == lr).all()
    planes = {"y-crop4": y_crop4, "rgb": lambda picture: picture}
    scores = {name: {"psnr": psnr(of(sr), of(hr)), "ssim": ssim(of(sr), of(hr))} for name, of in planes.items()}
    (HERE / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
