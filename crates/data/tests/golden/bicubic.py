"""Writes bicubic.txt: bicubic resampling by 8-bit passes in exact fractions, so that no rounding error can hide.

    python3 bicubic.py > bicubic.txt        (Python 3.8 or newer, no packages)

One line per case: border, height, width, then the pixels, row after row, red green blue.
"""
from fractions import Fraction as F
from math import ceil, floor

HEIGHT, WIDTH = 12, 24


def pixel(y, x):
    return [(37 * y * y + 11 * x * x + 5 * x * y + 83 * c + 7) % 256 for c in range(3)]


PICTURE = [[pixel(y, x) for x in range(WIDTH)] for y in range(HEIGHT)]


def cubic(x):
    x = abs(x)
    if x <= 1:
        return F(3, 2) * x**3 - F(5, 2) * x**2 + 1
    return -F(1, 2) * x**3 + F(5, 2) * x**2 - 4 * x + 2 if x < 2 else F(0)


def within(i, n, border):
    if border == "replicate":
        return min(max(i, 0), n - 1)
    line = list(range(n)) + list(reversed(range(n)))
    return line[i % (2 * n)]


def resample(line, n_out, border):
    """line: a list of pixels. Returns n_out pixels."""
    step = F(len(line), n_out)
    stretch = max(step, F(1))
    out = []
    for x in range(n_out):
        centre = (x + F(1, 2)) * step - F(1, 2)
        taps = range(floor(centre - 2 * stretch), ceil(centre + 2 * stretch) + 1)
        weights = [cubic((centre - i) / stretch) for i in taps]
        pixels = [line[within(i, len(line), border)] for i in taps]
        sums = [sum(w * p[c] for w, p in zip(weights, pixels)) / sum(weights) for c in range(3)]
        out.append([min(max(floor(s + F(1, 2)), 0), 255) for s in sums])
    return out


def transposed(picture):
    return [list(line) for line in zip(*picture)]


for border in ["replicate", "mirror"]:
    for height, width in [(3, 6), (4, 8), (6, 12), (24, 48)]:
        columns = [resample(column, height, border) for column in transposed(PICTURE)]
        rows = [resample(row, width, border) for row in transposed(columns)]
        print(border, height, width, *[value for row in rows for pixel in row for value in pixel])
