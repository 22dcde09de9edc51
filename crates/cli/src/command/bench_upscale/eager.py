"""Times one forward of the `model` that a file of Python code builds, in PyTorch's own ways: a line of JSON for each."""
import argparse
import json
import runpy
import statistics
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--module", required=True)
parser.add_argument("--task", required=True)
parser.add_argument("--colors", type=int, required=True)
parser.add_argument("--size", type=int, nargs=2, required=True)
parser.add_argument("--runs", type=int, required=True)
parser.add_argument("--threads", type=int, required=True)
options = parser.parse_args()

torch.manual_seed(0)
torch.set_num_threads(options.threads)
model = runpy.run_path(options.module)["model"].eval()
picture = torch.rand(1, options.colors, *options.size)


def plain():
    with torch.inference_mode():
        return model(picture)


def autocast():
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        return model(picture)


def timed(way):
    way()
    seconds = []
    for _ in range(options.runs):
        start = time.perf_counter()
        way()
        seconds.append(time.perf_counter() - start)
    return min(seconds), statistics.median(seconds)


expected = plain()
for runtime, way in ("eager", plain), ("eager-cl", plain), ("amp-cl", autocast):
    if runtime.endswith("-cl"):
        model = model.to(memory_format=torch.channels_last)
        picture = picture.contiguous(memory_format=torch.channels_last)
    shortest, median = timed(way)
    difference = (way().float() - expected).abs().max().item()
    print(json.dumps(dict(task=options.task, runtime=runtime, size=options.size, threads=options.threads,
                          seconds_min=shortest, seconds_median=median, max_abs_difference=difference,
                          output_std=expected.std().item())), flush=True)
