# %% [markdown]
# ## The weights
#
# They are plain tensors: with `weights_only=True` nothing of the file is run, and with `strict=True` every name and shape
# has to fit.

# %%
import json

import numpy as np
from IPython.display import Image as Figure, display
from PIL import Image

model.load_state_dict(torch.load(RUN / CHECKPOINT, map_location="cpu", weights_only=True), strict=True)
model.eval()
print(f"{CHECKPOINT}: {sum(parameter.numel() for parameter in model.parameters()):,} parameters")

# %% [markdown]
# ## A test picture
#
# Its LR version goes through the network here, in PyTorch. What comes out is compared with what Abbe wrote: both are rounded
# to 8 bits, so a sample may differ by one level where the two sum in another order.

# %%
table = json.loads((RUN / "metrics.json").read_text())
rows = next(method["pictures"] for method in table["methods"] if method["name"] == METHOD)
picture = rows[0]["picture"]


def read(version):
    return np.array(Image.open(RUN / "pictures" / picture / f"{version}.png").convert("RGB"))


lr, hr, written = read("lr"), read("hr"), read(METHOD)
with torch.no_grad():
    output = model(torch.from_numpy(lr).permute(2, 0, 1)[None].float() / 255)
sr = (output[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
difference = np.abs(sr.astype(int) - written)
print(f"{picture}: {lr.shape[0]} x {lr.shape[1]} to {sr.shape[0]} x {sr.shape[1]} pixels")
print(f"samples that differ from Abbe's picture: {(difference > 0).sum()} of {difference.size}, by at most {difference.max()}")
assert difference.max() <= 1

# %% [markdown]
# ## PSNR, computed again
#
# The settings of each protocol are in `metrics.json`. Of Abbe's picture the value has to come out to the last digit, of the
# one made here to a hundredth of a decibel.

# %%
def samples(image, channel):
    """What a protocol compares, as numbers of the 8-bit scale."""
    rgb = image.astype(np.float64)
    if channel == "rgb":
        return rgb
    if channel == "luma":
        return rgb @ [0.299, 0.587, 0.114]
    y = 16 + rgb @ [65.481, 128.553, 24.966] / 255  # ITU-R BT.601, studio range
    return np.floor(y + 0.5) if channel == "y_rounded" else y


def psnr(image, settings):
    border = settings["border"]
    inside = slice(border, -border if border else None)
    a, b = (samples(version, settings["channel"])[inside, inside] for version in (image, hr))
    error = np.mean((a - b) ** 2)
    return 10 * np.log10(settings["peak"] ** 2 / error) if error else np.inf


for protocol in (protocol["settings"] for protocol in table["protocols"]):
    if protocol["grey"] == "as_is":
        continue  # which treats grey pictures otherwise
    column = f"psnr_{protocol['name']}".replace("-", "_")
    stated = float(rows[0][column])  # "inf" where the pictures are equal
    again, here = psnr(written, protocol), psnr(sr, protocol)
    print(f"{column}: {stated:.6f} dB in metrics.json, {again:.6f} again, {here:.6f} of the picture made here")
    assert np.isclose(again, stated, rtol=0, atol=1e-6)
    assert np.isclose(here, stated, rtol=0, atol=1e-2)

# %% [markdown]
# ## Side by side
#
# The middle of the picture, every pixel enlarged: LR, what the network made here, HR.

# %%
scale = table["scale"]
side = min(32, *lr.shape[:2])
top, left = (lr.shape[0] - side) // 2, (lr.shape[1] - side) // 2


def middle(image, factor):
    part = image[top * factor : (top + side) * factor, left * factor : (left + side) * factor]
    enlarge = 256 // (side * factor) or 1
    return part.repeat(enlarge, axis=0).repeat(enlarge, axis=1)


strip = [middle(lr, 1), middle(sr, scale), middle(hr, scale)]
height, width = (min(part.shape[axis] for part in strip) for axis in (0, 1))
Image.fromarray(np.hstack([part[:height, :width] for part in strip]))

# %% [markdown]
# ## The whole table and the figures

# %%
print((RUN / "metrics.txt").read_text())
for name in ("curves.png", f"zoom_{picture}.png"):
    if (RUN / "figures" / name).is_file():
        display(Figure(filename=str(RUN / "figures" / name)))
