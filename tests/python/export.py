"""Exported networks in other programs: `python export.py FOLDER` runs all NAME.onnx and NAME.pt in it on the pictures of
NAME.pth and compares with the results there."""

import json
import pathlib
import sys

import onnx
import onnxruntime
import torch

LIMITS = {("onnx", "float32"): 1e-4, ("onnx", "float16"): 2e-2, ("pt", "float32"): 1e-5, ("pt", "float16"): 2e-2}


def run_onnx(path):
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    return facts, lambda lr: torch.from_numpy(session.run(["sr"], {"lr": lr.numpy()})[0])


def run_torchscript(path):
    extra = {"abbe.json": ""}
    module = torch.jit.load(path, _extra_files=extra).eval()
    return json.loads(extra["abbe.json"]), torch.no_grad()(module)


for path in sorted([*pathlib.Path(sys.argv[1]).glob("*.onnx"), *pathlib.Path(sys.argv[1]).glob("*.pt")]):
    kind = path.suffix[1:]
    facts, network = {"onnx": run_onnx, "pt": run_torchscript}[kind](path)
    cases = torch.load(path.with_suffix(".pth"), weights_only=True)
    for number in range(len(cases) // 2):
        lr, sr = cases[f"lr{number}"], cases[f"sr{number}"]
        found = network(lr)
        assert found.shape == sr.shape and found.dtype == sr.dtype, (path, found.shape, found.dtype)
        assert sr.shape[2] == lr.shape[2] * int(facts["scale"]) and sr.shape[1] == int(facts["channels"]), facts
        spread = min(1.0, (sr.max() - sr.min()).item())  # of an untrained network it may be small
        difference = (found - sr).abs().max().item() / spread
        print(f"{path.name} {tuple(lr.shape)}: {difference:.1e}")
        assert difference <= LIMITS[kind, facts["precision"]], (path, tuple(lr.shape), difference)
