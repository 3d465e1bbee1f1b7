"""Makes every file of data/: python tests/goldens/generate.py --model PATH/TO/SmolLM2-135M-Instruct.Q4_1.gguf

With `--only families` just the families' files and the model folders, which need no model file.

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
import gold_families
import gold_folders
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


def make_rest(scratch: Path, model: Path):
    gold_templates.make(scratch)
    gold_dequant.make(scratch)
    gold_tokenizers.make_smollm2(scratch, model)
    gold_tokenizers.make_spm(scratch)
    gold_tiny.make(scratch)
    gold_smollm2.make(scratch, model)


def make_families(scratch: Path):
    gold_families.make(scratch)
    gold_folders.make(scratch)


def of_families(name: str) -> bool:
    return name.startswith(("family_", "hf_"))


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--only", choices=["families"])
    parser.add_argument("--out", type=Path, default=HERE / "data")
    args = parser.parse_args()
    check_pins()
    if not args.only:
        if not args.model:
            parser.error("--model is needed, unless --only families")
        if jsonio.sha256(args.model) != MODEL_SHA256:
            sys.exit(f"{args.model} is not the file that these goldens are made from (sha256 {MODEL_SHA256})")

    args.out.mkdir(parents=True, exist_ok=True)
    # Into a scratch folder first, so that a failed run leaves the old files alone.
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        if not args.only:
            make_rest(scratch, args.model)
        make_families(scratch)
        made = files(scratch)
        for old in files(args.out):
            if old not in made and (not args.only or of_families(old)):
                (args.out / old).unlink()
        for name in made:
            (args.out / name).parent.mkdir(exist_ok=True)
            (args.out / name).write_bytes((scratch / name).read_bytes())
    sums = {name: jsonio.sha256(args.out / name) for name in made}
    listed = args.out / "SHA256SUMS"
    if args.only and listed.exists():
        # What this run did not make keeps the sum that its own run gave it.
        for line in listed.read_text().splitlines():
            value, name = line.split("  ")
            if not of_families(name):
                sums[name] = value
    text = "".join(f"{value}  {name}\n" for name, value in sorted(sums.items()))
    listed.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
