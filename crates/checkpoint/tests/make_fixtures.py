#!/usr/bin/env python3
"""Write the crate's own small fixtures into tests/fixtures; needs torch, numpy and safetensors.

They hold one thing each that the tests and the fuzz targets start from without the large set of fixtures.
"""
import pathlib, struct, warnings, zipfile
from collections import Counter, OrderedDict

import numpy
import torch
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
out = pathlib.Path(__file__).parent / "fixtures"
out.mkdir(exist_ok=True)
torch.manual_seed(0)

base = torch.arange(6.0).reshape(2, 3)
state = OrderedDict(weight=base, tied=base, column=base[:, 1], empty=torch.zeros(0, 3), steps=torch.tensor(7))
values = dict(
    state=state, none=None, numbers=[True, 3, 2**70, 0.5, 1 + 2j], text="żółć", data=[b"\x00\xff", bytearray(b"q")],
    size=torch.Size([2, 3]), device=torch.device("cuda:1"), dtype=torch.bfloat16, counter=Counter({5: 2}), names={"a"},
    parameter=torch.nn.Parameter(torch.ones(2)), pair=(1, 2),
)
torch.save(values, out / "zip.pth")
torch.save(values, out / "protocol5.pth", pickle_protocol=5)
torch.save(values, out / "legacy.pth", _use_new_zipfile_serialization=False)
narrow = "uint16 uint32 uint64 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz".split()
untyped = {name: torch.tensor([0.0, 1.0, 2.0, 3.0]).to(getattr(torch, name)) for name in narrow}
untyped["complex32"] = torch.tensor([1 + 2j, 3 - 4j], dtype=torch.complex32)
untyped["conj"] = torch.tensor([1 + 2j, 3 - 4j]).conj()
untyped["neg"] = torch._neg_view(torch.tensor([1.0, -2.0]))
torch.save(untyped, out / "untyped.pth")
scalars = dict(best_psnr=numpy.float64(31.5), loss=numpy.float32(0.25), step=numpy.int64(-3), done=numpy.bool_(True))
torch.save(dict(scalars, w=torch.ones(2)), out / "numpy.pth")
torch.save({"epoch": 3, "model": torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))}, out / "module.pth")
save_file({"w": base.contiguous(), "half": torch.ones(2, dtype=torch.float16)}, out / "net.safetensors", metadata={"abbe": "{}", "format": "pt"})

# The state of zip.pth compressed, and its numbers as a big-endian machine writes them.
torch.save({"w": base}, out / "big.pth")
with zipfile.ZipFile(out / "big.pth") as archive:
    records = {name: archive.read(name) for name in archive.namelist()}
records["big/byteorder"], records["big/data/0"] = b"big", struct.pack(">6f", *range(6))
with zipfile.ZipFile(out / "big.pth", "w") as archive:
    for name, data in records.items():
        archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
