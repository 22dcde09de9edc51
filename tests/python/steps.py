"""Ten steps of an adversarial training in plain PyTorch, of the networks and batches that the Rust test has written.

`python3 steps.py srgan|esrgan`, in a folder with generator.py, discriminator.py, vgg.py (each has `model`), their first weights
(.pth) and batches.pth; writes losses.json and the networks' last weights as generator_after.pth and discriminator_after.pth.
"""
import importlib
import json
import sys

import torch
from torch.nn import functional as F

torch.set_num_threads(1)
sys.path.insert(0, ".")
FORM = sys.argv[1]


def network(name):
    model = importlib.import_module(name).model
    model.load_state_dict(torch.load(f"{name}.pth", weights_only=True), strict=True)
    return model


generator, discriminator, vgg = (network(name) for name in ("generator", "discriminator", "vgg"))
vgg.eval().requires_grad_(False)
generator.train(), discriminator.train()
# Places in VGG-11: relu2_1 is 4 layers deep, conv2_1 before its rectifier 3.
DEPTH = {"srgan": 5, "esrgan": 4}[FORM]


def features(pictures):
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return vgg.features[:DEPTH]((pictures - mean) / std)


def adam(model, lr, decay=0.0):
    return torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay)


def bce(logits, real):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def srgan_losses(sr, hr):
    content = F.mse_loss(features(sr), features(hr).detach())
    return {"content": (1e-2, content), "pixel": (7e-2, F.l1_loss(sr, hr)), "adversarial": (1e-3, bce(discriminator(sr), 1))}


def esrgan_losses(sr, hr):
    content = F.l1_loss(features(sr), features(hr).detach())
    with torch.no_grad():
        real = discriminator(hr)
    fake = discriminator(sr)
    adversarial = bce(real - fake.mean(), 0) + bce(fake - real.mean(), 1)
    return {"content": (1.0, content), "pixel": (1e-2, F.l1_loss(sr, hr)), "adversarial": (5e-3, adversarial)}


def srgan_discriminator_loss(sr, hr):
    return bce(discriminator(hr), 1) + bce(discriminator(sr), 0)


def esrgan_discriminator_loss(sr, hr):
    real, fake = discriminator(hr), discriminator(sr)
    return bce(real - fake.mean(), 1) + bce(fake - real.mean(), 0)


losses, discriminator_loss, every = {
    "srgan": (srgan_losses, srgan_discriminator_loss, 3),
    "esrgan": (esrgan_losses, esrgan_discriminator_loss, 1),
}[FORM]
batches = torch.load("batches.pth", weights_only=True)
of_generator, of_discriminator = adam(generator, 1e-4), adam(discriminator, 1e-4)
average = torch.optim.swa_utils.AveragedModel(generator, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
rows = []
for step, (lr, hr) in enumerate(zip(batches["lr"], batches["hr"])):
    sr = generator(lr)
    sr = sr.clamp(0, 1) if FORM == "srgan" else sr
    discriminator.requires_grad_(False)
    terms = losses(sr, hr)
    discriminator.requires_grad_(True)
    total = sum(weight * value for weight, value in terms.values())
    of_generator.zero_grad()
    total.backward()
    if FORM == "srgan":
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 0.5)
    of_generator.step()
    average.update_parameters(generator)
    row = {name: value.item() for name, (_, value) in terms.items()}
    if step % every == 0:
        loss = discriminator_loss(sr.detach(), hr)
        of_discriminator.zero_grad()
        loss.backward()
        of_discriminator.step()
        row["discriminator"] = loss.item()
    rows.append(row)
json.dump(rows, open("losses.json", "w"))
for name, model in [("generator", generator), ("discriminator", discriminator), ("average", average.module)]:
    torch.save(model.state_dict(), f"{name}_after.pth")
