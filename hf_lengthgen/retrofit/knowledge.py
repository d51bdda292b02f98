"""What a base knew, before and after: perplexity of a fixed text, and what greedy decoding makes of 20 prompts.

    python -m hf_lengthgen.retrofit.knowledge --base_model FOLDER --model OUTPUT_DIR --result FILE

The text (`knowledge_text.txt`) begins Moby-Dick (1851) and On the Origin of Species (1859), dashes written as commas;
no Scale Hint is given with it.
"""

from __future__ import annotations

import json
import math
import platform
import sys
from pathlib import Path
from typing import Any

from ..exit_code import Parser, exit_code

HERE = Path(__file__).parent
MODES = ("prompt", "input")


def load_trained(folder: Path, base: Any, scale_hint: str | None = None) -> Any:
    """What an output_dir of `lengthgen train --base_model` holds, on the base: LoRA is merged into it, additions put
    on it.

    Args:
        scale_hint: where the additions get their hint from; None for what their configuration says.

    Raises:
        ValueError: the folder holds neither, or what does not fit the base.
    """
    from .lora import FOLDER, load_lora
    from .modeling_retrofit import RetrofitForCausalLM
    from .saving import ADDITIONS_FILE

    lora, additions = (folder / FOLDER).is_dir(), (folder / ADDITIONS_FILE).is_file()
    if not lora and not additions:
        raise ValueError(f"{folder} holds neither additions nor a LoRA in {FOLDER}/: give the output_dir of a run.")
    model = load_lora(base, folder / FOLDER) if lora else base
    if additions:
        model = RetrofitForCausalLM.from_pretrained(folder, base=model)
        model.config.scale_hint = scale_hint or model.config.scale_hint
        model.config.check()
    return model.eval()


def perplexity(model: Any, ids: Any) -> tuple[float, Any]:
    """exp of the mean cross-entropy of ids (1, L) after the first, and the logits (L − 1, V)."""
    import torch

    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
        return math.exp(float(torch.nn.functional.cross_entropy(logits, ids[0, 1:]))), logits


def written(model: Any, tokenizer: Any, prompts: list[str], new_tokens: int) -> list[list[int]]:
    """What greedy decoding writes after each prompt, as token ids."""
    texts = []
    for prompt in prompts:
        given = tokenizer(prompt, return_tensors="pt").to(model.device)
        out = model.generate(
            **{k: given[k] for k in ("input_ids", "attention_mask")},
            max_new_tokens=new_tokens, do_sample=False, pad_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        texts.append(out[0, given["input_ids"].shape[1] :].tolist())
    return texts


def compare(base: Any, tokenizer: Any, load: Any, new_tokens: int = 16) -> dict[str, Any]:
    """Perplexity and texts of the base, then of what `load()` makes of it (which may change the base in place)."""
    ids = tokenizer((HERE / "knowledge_text.txt").read_text(encoding="utf-8"), return_tensors="pt").input_ids
    ids = ids.to(base.device)
    prompts = (HERE / "knowledge_prompts.txt").read_text(encoding="utf-8").splitlines()
    before, logits = perplexity(base, ids)
    texts = written(base, tokenizer, prompts, new_tokens)
    model = load()
    after, others = perplexity(model, ids)
    changed = written(model, tokenizer, prompts, new_tokens)
    return {
        "tokens": ids.shape[1] - 1,
        "perplexity": {"before": before, "after": after},
        "largest_difference_of_logits": float((logits - others).abs().max()),
        "same_most_likely_token": float((logits.argmax(-1) == others.argmax(-1)).float().mean()),
        "same_texts": sum(a == b for a, b in zip(texts, changed, strict=True)),
        "prompts": [
            {"prompt": p, "before": tokenizer.decode(a), "after": tokenizer.decode(b)}
            for p, a, b in zip(prompts, texts, changed, strict=True)
        ],
    }


def run(arguments: list[str]) -> dict[str, Any]:
    """The command; returns the result, and with --result writes it."""
    import torch

    from ..files import write_json
    from .base import load_base
    from .fitting import weights_digest
    from .run import portable
    from .settings import RetrofitTraining

    parser = Parser(prog="python -m hf_lengthgen.retrofit.knowledge", description=__doc__.splitlines()[0])
    parser.add_argument("--base_model", required=True, help="folder or name for from_pretrained")
    parser.add_argument("--gguf_file", help="a GGUF file in it")
    parser.add_argument("--base_name", help="what the result calls it (default: the last part of base_model)")
    parser.add_argument("--model", required=True, help="output_dir of lengthgen train --base_model")
    parser.add_argument("--scale_hint", choices=MODES, help="of the additions (default: what they were saved with)")
    parser.add_argument("--note", help="a sentence that the result carries")
    parser.add_argument("--result", help="write the result there (JSON)")
    chosen = parser.parse_args(arguments)
    base, tokenizer = load_base(RetrofitTraining(base_model=chosen.base_model, gguf_file=chosen.gguf_file))
    base.eval()
    result = {
        "command": portable(["python", "-m", "hf_lengthgen.retrofit.knowledge", *arguments]),
        "hardware": f"{platform.machine()}, torch {torch.__version__}, {base.device}",
        "note": chosen.note,
        "base": chosen.base_name or Path(chosen.base_model).name,
        "base_weights": weights_digest(base),
        "model": Path(chosen.model).name,
        "scale_hint": chosen.scale_hint,
        **compare(base, tokenizer, lambda: load_trained(Path(chosen.model), base, chosen.scale_hint)),
    }
    if chosen.result is not None:
        Path(chosen.result).parent.mkdir(parents=True, exist_ok=True)
        write_json(Path(chosen.result), result)
    shown = ("perplexity", "largest_difference_of_logits", "same_most_likely_token", "same_texts")
    print(json.dumps({key: result[key] for key in shown}))
    return result


def main(arguments: list[str] | None = None) -> int:
    """Exit code 2 for bad input, told in one line."""
    return exit_code(lambda: run(sys.argv[1:] if arguments is None else arguments))


if __name__ == "__main__":
    sys.exit(main())
