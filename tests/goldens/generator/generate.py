"""Makes every file of ../data: generate.py --model PATH/TO/SmolLM2-135M-Instruct.Q4_1.gguf --minilm PATH/TO/all-MiniLM-L6-v2
--gemma PATH/TO/gemma-3-270m-q4_k_m.gguf --whisper PATH/TO/whisper-tiny.en --whisper-base PATH/TO/whisper-base
--recording PATH/TO/two_cities.wav

With `--only families`, `--only adapters` (of models that are there already), `--only embeddings`, `--only tokenizers`, `--only templates`, `--only whisper`, `--only pictures`, `--only vision`, `--only captions`, `--only translation`, `--only speech` (which needs its model) or `--only quants` just those files, and no model is needed. Files whose
model is not given stay as they are.

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

import gold_adapters
import gold_captions
import gold_dequant
import gold_embedding_folders
import gold_embeddings
import gold_families
import gold_folders
import gold_gemma
import gold_gemma270
import gold_gemma4
import gold_long_form
import gold_minilm
import gold_options
import gold_pictures
import gold_pre
import gold_rerank
import gold_rerank_modern
import gold_rerank_xlmr
import gold_smollm2
import gold_templates
import gold_tiny
import gold_tokenizers
import gold_transcripts
import gold_translation
import gold_unigram
import gold_vision
import gold_whisper
import gold_whisper_real
import gold_wordpiece
import jsonio
import manifest
import picture_files

HERE = Path(__file__).resolve().parent
SUMS = "SHA256SUMS"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"


def check_pins():
    for line in (HERE / "requirements.txt").read_text().splitlines():
        name, _, want = line.partition("#")[0].strip().partition("==")
        if want and version(name) != want:
            sys.exit(f"{name} is {version(name)}, requirements.txt says {want}")


def folder(scratch: Path, name: str) -> Path:
    path = scratch / name
    path.mkdir(exist_ok=True)
    return path


def make_families(scratch: Path, args):
    gold_families.make(folder(scratch, "families"))
    gold_folders.make(folder(scratch, "folders"))


def make_adapters(scratch: Path, args):
    gold_adapters.make(folder(scratch, "adapters"))


def make_embeddings(scratch: Path, args):
    gold_embeddings.make(folder(scratch, "embeddings"))
    gold_embedding_folders.make(folder(scratch, "embedding_folders"))
    rerankers = folder(scratch, "rerankers")
    gold_rerank.make(rerankers)
    gold_rerank_modern.make(rerankers)
    gold_rerank_xlmr.make(rerankers)
    if args.minilm:
        gold_minilm.make(folder(scratch, "real"), folder(scratch, "tokenizers"), args.minilm)


def make_tokenizers(scratch: Path, args):
    out = folder(scratch, "tokenizers")
    if args.model:
        gold_tokenizers.make_smollm2(out, args.model)
    gold_tokenizers.make_spm(out)
    gold_gemma.make(out)
    gold_gemma4.make(out)
    gold_unigram.make(out)
    gold_wordpiece.make(out)
    gold_pre.make(out)
    gold_options.make(out)


def make_templates(scratch: Path, args):
    gold_templates.make(folder(scratch, "templates"))


def make_quants(scratch: Path, args):
    gold_dequant.make(folder(scratch, "quants"))


def make_rest(scratch: Path, args):
    gold_tiny.make(folder(scratch, "tiny"))
    gold_smollm2.make(folder(scratch, "real"), args.model)


def make_gemma(scratch: Path, args):
    if args.gemma:
        gold_gemma270.make(folder(scratch, "real"), args.gemma)


def make_speech(scratch: Path, args):
    if args.whisper and args.recording:
        gold_whisper_real.make(folder(scratch, "real"), args.whisper, args.recording)
        gold_transcripts.make_tiny_en(folder(scratch, "real"), args.whisper, args.recording)
        gold_long_form.make(folder(scratch, "real"), args.whisper, args.recording)
    if args.whisper_base and args.recording:
        gold_transcripts.make_base(folder(scratch, "real"), args.whisper_base, args.recording)


def make_pictures(scratch: Path, args):
    out = folder(scratch, "pictures")
    gold_pictures.make(out)
    picture_files.make(out)


def make_vision(scratch: Path, args):
    gold_vision.make(folder(scratch, "vision"))


def make_captions(scratch: Path, args):
    gold_captions.make(folder(scratch, "captions"))


def make_translation(scratch: Path, args):
    gold_translation.make(folder(scratch, "translation"))


def make_whisper(scratch: Path, args):
    gold_whisper.make(folder(scratch, "whisper"))


# What makes them, and how the files' paths begin; what begins otherwise is the rest's.
GROUPS = {
    "families": (make_families, ("families/", "folders/")),
    "adapters": (make_adapters, ("adapters/",)),
    "embeddings": (make_embeddings, ("embeddings/", "embedding_folders/", "rerankers/", "real/minilm", "tokenizers/tokenizer_minilm")),
    "tokenizers": (make_tokenizers, ("tokenizers/",)),
    "gemma": (make_gemma, ("real/gemma270",)),
    "speech": (make_speech, ("real/whisper", "real/transcripts")),
    "whisper": (make_whisper, ("whisper/",)),
    "pictures": (make_pictures, ("pictures/",)),
    "vision": (make_vision, ("vision/",)),
    "captions": (make_captions, ("captions/",)),
    "translation": (make_translation, ("translation/",)),
    "templates": (make_templates, ("templates/",)),
    "quants": (make_quants, ("quants/",)),
    "rest": (make_rest, ("",)),
}


def group_of(name: str) -> str:
    return next(group for group, (_, begins) in GROUPS.items() if name.startswith(begins))


def files(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--minilm", type=Path)
    parser.add_argument("--gemma", type=Path)
    parser.add_argument("--whisper", type=Path)
    parser.add_argument("--whisper-base", type=Path)
    parser.add_argument("--recording", type=Path)
    parser.add_argument("--only", choices=[group for group in GROUPS if group != "rest"])
    parser.add_argument("--out", type=Path, default=manifest.DATA)
    args = parser.parse_args()
    check_pins()
    groups = [args.only] if args.only else list(GROUPS)
    if "rest" in groups and not args.model:
        parser.error("--model is needed, unless --only says otherwise")
    for path, sha256 in ((args.model, MODEL_SHA256), (args.gemma, GEMMA_SHA256)):
        if path and jsonio.sha256(path) != sha256:
            sys.exit(f"{path} is not the file that these goldens are made from (sha256 {sha256})")
    untouched = () if args.minilm else gold_minilm.FILES
    if not args.gemma:
        untouched += ("real/gemma270.json",)
    if not (args.whisper and args.recording):
        untouched += (gold_whisper_real.FILE, gold_transcripts.TINY_EN, gold_long_form.FILE)
    if not (args.whisper_base and args.recording):
        untouched += (gold_transcripts.BASE,)
    if not args.model:
        untouched += ("tokenizers/tokenizer_smollm2.json",)

    args.out.mkdir(parents=True, exist_ok=True)
    # Into a scratch folder first, so that a failed run leaves the old files alone.
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        for group in groups:
            GROUPS[group][0](scratch, args)
        made = files(scratch)
        for old in files(args.out):
            if old not in made and group_of(old) in groups and old not in untouched and old not in (SUMS, manifest.NAME):
                (args.out / old).unlink()
        for name in made:
            (args.out / name).parent.mkdir(parents=True, exist_ok=True)
            (args.out / name).write_bytes((scratch / name).read_bytes())
    manifest.write(args.out)
    sums = {name: jsonio.sha256(args.out / name) for name in [*made, manifest.NAME]}
    listed = args.out / SUMS
    if listed.exists():
        # What this run did not make keeps the sum that its own run gave it.
        for line in listed.read_text().splitlines():
            value, name = line.split("  ")
            if (args.out / name).exists():
                sums.setdefault(name, value)
    text = "".join(f"{value}  {name}\n" for name, value in sorted(sums.items()))
    listed.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
