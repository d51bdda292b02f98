"""Runs a model as a stranger would: from its folder alone, by transformers, with this package out of reach.

Started by `check.py` as a script, with one JSON object on standard input; answers with one on the last line of
standard output. It imports nothing of the package, which is the point.

Input:  folder, prompts, answers (texts of equal length per list entry), hints (one list of integers per prompt, or
        null), batch_size.
Output: right: list of bool per prompt; classes: names of the model's and the tokenizer's classes.
"""

import json
import sys


def main() -> None:
    sys.modules["hf_lengthgen"] = None  # whoever imports it now gets an ImportError
    job = json.load(sys.stdin)
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    folder = job["folder"]
    AutoConfig.from_pretrained(folder, trust_remote_code=True)
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()
    # The tokenizer itself is plain, but transformers reads the model's config first, and would stop to ask.
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    right = []
    for first in range(0, len(job["prompts"]), job["batch_size"]):
        part = slice(first, first + job["batch_size"])
        inputs = dict(tokenizer(job["prompts"][part], return_tensors="pt", padding=True))
        if job["hints"] is not None:
            inputs["scale_hint"] = torch.tensor(job["hints"][part])
        wanted = [tokenizer(answer, add_special_tokens=False)["input_ids"] for answer in job["answers"][part]]
        wanted = [ids + [tokenizer.eos_token_id] for ids in wanted]
        written = model.generate(
            **inputs,
            max_new_tokens=max(map(len, wanted)),
            do_sample=False,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        written = written[:, inputs["input_ids"].shape[1] :].tolist()
        right += [row[: len(ids)] == ids for row, ids in zip(written, wanted, strict=True)]
    print()
    print(json.dumps({"right": right, "classes": [type(model).__module__, type(tokenizer).__name__]}))


if __name__ == "__main__":
    main()
