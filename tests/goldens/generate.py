"""Makes every file of data/: python tests/goldens/generate.py --model PATH/TO/SmolLM2-135M-Instruct.Q4_1.gguf

Nothing here depends on the date, the machine's name or the network; see README.md for the versions.
"""

import argparse
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
sys.dont_write_bytecode = True

import gold_dequant
import gold_smollm2
import gold_templates
import gold_tiny
import gold_tokenizers
import jsonio

HERE = Path(__file__).resolve().parent
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def check_pins():
    for line in (HERE / "requirements.txt").read_text().splitlines():
        name, _, want = line.partition("#")[0].strip().partition("==")
        if want and version(name) != want:
            sys.exit(f"{name} is {version(name)}, requirements.txt says {want}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "data")
    args = parser.parse_args()
    check_pins()
    if jsonio.sha256(args.model) != MODEL_SHA256:
        sys.exit(f"{args.model} is not the file that these goldens are made from (sha256 {MODEL_SHA256})")

    args.out.mkdir(parents=True, exist_ok=True)
    # Into a scratch folder first, so that a failed run leaves the old files alone.
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        gold_templates.make(scratch)
        gold_dequant.make(scratch)
        gold_tokenizers.make_smollm2(scratch, args.model)
        gold_tokenizers.make_spm(scratch)
        gold_tiny.make(scratch)
        gold_smollm2.make(scratch, args.model)
        made = sorted(p.name for p in scratch.iterdir())
        for old in args.out.iterdir():
            if old.is_file() and old.name not in made:
                old.unlink()
        sums = []
        for name in made:
            data = (scratch / name).read_bytes()
            (args.out / name).write_bytes(data)
            sums.append(f"{jsonio.sha256(args.out / name)}  {name}\n")
        (args.out / "SHA256SUMS").write_text("".join(sums))
    print("".join(sums), end="")


if __name__ == "__main__":
    main()
