"""What is asked about the pictures: templates, placeholders and what they become, tokenizers with the tokens of pictures."""

import json
from pathlib import Path
from typing import NamedTuple

import hf_tokenizers
from gold_tiny import train_bpe
from tokenizers import Tokenizer
from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string
from transformers.utils.chat_template_utils import render_jinja_template
from vision_pictures import Prepared

SMOLVLM = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
GEMMA3 = (
    "{{ bos_token }}{%- for message in messages -%}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{%- if message['content'] is string -%}{{ message['content'] | trim }}{%- else -%}"
    "{%- for item in message['content'] -%}{%- if item['type'] == 'image' -%}{{ '<start_of_image>' }}"
    "{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}{%- endif -%}"
    "{{ '<end_of_turn>\n' }}{%- endfor -%}{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
)
GEMMA4 = (
    "{{ bos_token }}{%- for message in messages -%}"
    "{{ '<|turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{%- if message['content'] is string -%}{{ message['content'] | trim }}{%- else -%}"
    "{%- for item in message['content'] -%}{%- if item['type'] == 'image' -%}{{ '<|image|>' }}"
    "{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}{%- endif -%}"
    "{{ '<turn|>\n' }}{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|turn>model\n' }}{%- endif -%}"
)


def chatml(image: str, system: str = "") -> str:
    first = f"{{% if loop.first and message['role'] != 'system' %}}<|im_start|>system\n{system}<|im_end|>\n{{% endif %}}" if system else ""
    return (
        "{% for message in messages %}" + first + "<|im_start|>{{ message['role'] }}\n"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
        "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}" + image +
        "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


QWEN = chatml("<|vision_start|><|image_pad|><|vision_end|>", "You are a helpful assistant.")
LFM2 = "{{ bos_token }}" + chatml("<image>")
MISTRAL3 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}[INST]"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for block in message['content'] %}"
    "{% if block['type'] == 'text' %}{{ block['text'] }}{% elif block['type'] in ['image', 'image_url'] %}[IMG]{% endif %}"
    "{% endfor %}{% endif %}[/INST]{% else %}{{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)


def image(n: int) -> dict:
    return {"type": "image", "image": n}


def text(words: str) -> dict:
    return {"type": "text", "text": words}


def cases(first: int, second: int, third: int) -> list[dict]:
    """One picture, two with text between them, one behind the text, none. Numbers are of pictures."""
    user = lambda *parts: [{"role": "user", "content": list(parts)}]
    return [
        {"name": "one", "messages": user(image(first), text("What do you see?"))},
        {"name": "two", "messages": user(
            text("Look at "), image(second), text(" first, and then at "), image(third), text(": what is new?"))},
        {"name": "last", "messages": user(text("This:"), image(second))},
        {"name": "text", "messages": user(text("Hi, 42!"))},
    ]


class Tokens(NamedTuple):
    """A byte-level vocabulary with special tokens behind it."""

    style: str
    # As GGUF calls the style.
    pre: str
    special: tuple[str, ...]
    bos: str
    eos: str
    pad: str
    template: str

    def meta(self) -> dict:
        meta = train_bpe("smollm")
        tokens = [*meta["tokens"], *self.special]
        ids = {name: tokens.index(getattr(self, name)) for name in ("bos", "eos", "pad")}
        return meta | ids | {
            "pre": self.pre, "tokens": tokens, "types": meta["types"] + [3] * len(self.special), "chat_template": self.template}

    def specials(self, meta: dict) -> list[int]:
        return [i for i, kind in enumerate(meta["types"]) if kind == 3]

    def write(self, folder: Path, meta: dict):
        tokenizer, config = hf_tokenizers.byte_level(self.style, meta)
        # As on the hub: tokens that were added later are no part of the model, and the template is a file of its own.
        for token in self.special:
            del tokenizer["model"]["vocab"][token]
        (folder / "chat_template.jinja").write_text(config.pop("chat_template"), encoding="ascii")
        config["model_max_length"] = 512
        for name, value in (("tokenizer", tokenizer), ("tokenizer_config", config)):
            (folder / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def render(self, messages: list[dict]) -> str:
        rendered, _ = render_jinja_template(
            [messages], chat_template=self.template, add_generation_prompt=True, bos_token=self.bos, eos_token=self.eos)
        return rendered[0]


def encode(folder: Path, words: str) -> list[int]:
    return Tokenizer.from_file(str(folder / "tokenizer.json")).encode(words, add_special_tokens=False).ids


def expand(rendered: str, placeholder: str, expansions: list[str]) -> str:
    parts = rendered.split(placeholder)
    assert len(parts) == len(expansions) + 1
    return "".join(part + expansion for part, expansion in zip(parts, [*expansions, ""]))


def expand_smolvlm(p: Prepared, per_frame: int) -> str:
    return get_image_prompt_string(
        p.tiles_high, p.tiles_wide, per_frame, fake_token_around_image="<fake_token_around_image>", image_token="<image>",
        global_image_token="<global-img>")


def expand_gemma3(per_picture: int) -> str:
    return "\n\n<start_of_image>" + "<image_soft_token>" * per_picture + "<end_of_image>\n\n"


def expand_lfm2(p: Prepared, factor: int) -> str:
    counts = [high // factor * (wide // factor) for high, wide in p.grids]
    if p.tiles_high == 0:
        return "<|image_start|>" + "<image>" * counts[0] + "<|image_end|>"
    tiles = [(row + 1, col + 1) for row in range(p.tiles_high) for col in range(p.tiles_wide)]
    marks = [f"<|img_row_{row}_col_{col}|>" for row, col in tiles] + ["<|img_thumbnail|>"]
    assert len(marks) == len(counts)
    return "<|image_start|>" + "".join(m + "<image>" * n for m, n in zip(marks, counts)) + "<|image_end|>"


def expand_pixtral(p: Prepared, merge: int) -> str:
    high, wide = (side // merge for side in p.grids[0])
    rows = ["[IMG]" * wide] * high
    return "[IMG_BREAK]".join(rows) + "[IMG_END]"
