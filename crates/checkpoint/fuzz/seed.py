#!/usr/bin/env python3
"""Sort the fixtures (a folder with good/, opaque/ and bad/) and the crate's own into the corpora of the fuzz targets."""
import hashlib, pathlib, sys, zipfile

here = pathlib.Path(__file__).parent


def seed(target, data):
    folder = here / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def pickle_of(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return next((archive.read(name) for name in archive.namelist() if name.endswith("/data.pkl")), None)
    except Exception:
        return None  # damaged on purpose


for folder in [here.parent / "tests" / "fixtures", *map(pathlib.Path, sys.argv[1:])]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 50_000):
        data = path.read_bytes()
        if data[257:262] == b"ustar":
            seed("tar", data)
        elif data[:2] == b"PK":
            seed("zip", data)
            if pickle := pickle_of(path):
                seed("pickle", pickle)
        elif data[8:9] == b"{":
            seed("safetensors", data)
        else:
            seed("legacy", data)
