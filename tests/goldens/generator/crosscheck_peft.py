"""PEFT itself on the folders of data/adapters: the logits must be those of the goldens. With PEFT on the path:
pip install --no-deps --target FOLDER peft==0.21.2 accelerate psutil; PYTHONPATH=FOLDER python crosscheck_peft.py
"""

import json

import numpy as np
import torch
from peft import PeftModel

import gold_adapters
import hf_llama
import manifest


def main():
    for name in [*gold_adapters.ADAPTERS, *gold_adapters.TOGETHER]:
        path = manifest.DATA / "adapters" / f"{name}.json"
        about = json.loads(path.read_text())
        base = next(key for key, value in gold_adapters.BASES.items() if value == about["base"])
        model = None
        for adapter, scale in about["adapters"].items():
            folder = manifest.DATA / "adapters" / adapter
            if model is None:
                model = PeftModel.from_pretrained(gold_adapters.load(base), folder, adapter_name=adapter)
            else:
                model.load_adapter(folder, adapter_name=adapter)
            for module in model.modules():
                # (an attention layer of transformers has a number under this name)
                scaling = getattr(module, "scaling", None)
                if isinstance(scaling, dict) and adapter in scaling:
                    scaling[adapter] *= scale
        model.base_model.set_adapter(list(about["adapters"]))
        expected = np.fromfile(path.with_name(about["logits_bin"]["file"]), "<f4").reshape(about["logits_bin"]["shape"])
        worst = 0.0
        for prompt, rows in zip(about["prompts"], expected):
            with torch.no_grad():
                found = hf_llama.logits(model.eval(), prompt["ids"])[prompt["positions"]]
            worst = max(worst, float(np.abs(found - rows).max()))
        print(f"{name}: largest difference of a logit {worst:.2e}")
        assert worst < 1e-4, name


if __name__ == "__main__":
    main()
