"""Times one forward of the `model` that a file of Python code builds, in PyTorch's own ways: a line of JSON for each."""
import argparse
import json
import runpy
import statistics
import sys
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--module", required=True)
parser.add_argument("--task", required=True)
parser.add_argument("--colors", type=int, required=True)
parser.add_argument("--size", type=int, nargs=2, required=True)
parser.add_argument("--runs", type=int, required=True)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--device", default="cpu")
options = parser.parse_args()

torch.manual_seed(0)
torch.set_num_threads(options.threads)
device = torch.device(options.device)
model = runpy.run_path(options.module)["model"].eval().to(device)
picture = torch.rand(1, options.colors, *options.size, device=device)


def plain():
    with torch.inference_mode():
        return model(picture)


def autocast():
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        return model(picture)


def wait():
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(way):
    for _ in range(3 if device.type == "cuda" else 1):  # a compiled model has its graph from the third on
        way()
    wait()
    seconds = []
    for _ in range(options.runs):
        start = time.perf_counter()
        way()
        wait()
        seconds.append(time.perf_counter() - start)
    return min(seconds), statistics.median(seconds)


expected = plain()
ways = [("eager", plain), ("eager-cl", plain), ("amp-cl", autocast)]
for runtime, way in ways + [("amp-compile", autocast)] * (device.type == "cuda"):
    if runtime == "amp-compile":
        model = torch.compile(model, mode="reduce-overhead")
    elif runtime.endswith("-cl"):
        model = model.to(memory_format=torch.channels_last)
        picture = picture.contiguous(memory_format=torch.channels_last)
    try:
        shortest, median = timed(way)
    except Exception as error:
        if runtime != "amp-compile":
            raise
        print(f"notice: torch.compile does not work here: {error}", file=sys.stderr)
        continue
    difference = (way().float() - expected).abs().max().item()
    print(json.dumps(dict(task=options.task, runtime=runtime, size=options.size, threads=options.threads,
                          seconds_min=shortest, seconds_median=median, max_abs_difference=difference,
                          output_std=expected.std().item())), flush=True)
