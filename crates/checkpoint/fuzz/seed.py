#!/usr/bin/env python3
"""Sort the fixtures (a folder with good/, opaque/ and bad/) and the crate's own into the corpora of the fuzz targets."""
import hashlib, pathlib, sys, zipfile

here = pathlib.Path(__file__).parent


def seed(target, data):
    folder = here / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


for folder in [here.parent / "tests" / "fixtures", *map(pathlib.Path, sys.argv[1:])]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 50_000):
        data = path.read_bytes()
        if data[257:262] == b"ustar":
            seed("tar", data)
        elif data[:2] == b"PK":
            seed("zip", data)
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    for name in archive.namelist():
                        if name.endswith("/data.pkl") and archive.getinfo(name).file_size < 50_000:
                            try:
                                seed("pickle", archive.read(name))
                            except Exception:
                                pass  # damaged on purpose
        elif data[8:9] == b"{":
            seed("safetensors", data)
        else:
            seed("legacy", data)
