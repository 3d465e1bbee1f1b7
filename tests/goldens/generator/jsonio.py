"""One way to write JSON: stable, readable in a diff, small."""

import hashlib
import json
import re


def dumps(value) -> str:
    text = json.dumps(value, ensure_ascii=True, indent=1, allow_nan=False)
    # Lists of numbers on one line.
    number = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
    return re.sub(rf"\[\n\s*{number}(?:,\n\s*{number})*\n\s*\]", lambda m: re.sub(r"\s+", "", m[0]), text) + "\n"


def write(path, value):
    path.write_text(dumps(value), encoding="ascii")
    assert json.loads(path.read_text()) == value, path


def sha256(path) -> str:
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while chunk := f.read(1 << 20):
            h.update(chunk)
    return h.hexdigest()
