"""Tiny random models of every supported family."""

import transformers as t

SIZES = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 256}
GROUPED = SIZES | SPECIAL | {"num_key_value_heads": 2}
CONFIGS = {
    "llama": lambda: t.LlamaConfig(**GROUPED),
    "mistral": lambda: t.MistralConfig(**GROUPED, sliding_window=6),
    "qwen2": lambda: t.Qwen2Config(**GROUPED),
    "qwen3": lambda: t.Qwen3Config(**GROUPED, head_dim=8),
    "gemma": lambda: t.GemmaConfig(**GROUPED, head_dim=8),
    "olmo": lambda: t.OlmoConfig(**GROUPED),
    "phi": lambda: t.PhiConfig(**SIZES, **SPECIAL),
    "gpt_neox": lambda: t.GPTNeoXConfig(**SIZES, **SPECIAL),
    "gpt2": lambda: t.GPT2Config(
        vocab_size=64, n_embd=32, n_layer=3, n_head=4, n_positions=256, pad_token_id=0, bos_token_id=1, eos_token_id=2
    ),
}
SMALL = {"layers": [0, 2], "width": 16, "intermediate_size": 16}


def tiny(family: str = "llama", **changes):
    config = CONFIGS[family]()
    for key, value in changes.items():
        setattr(config, key, value)
    return t.AutoModelForCausalLM.from_config(config).eval()


def options(mode: str) -> dict:
    return SMALL | {"mode": mode} if mode == "adapter" else {"mode": mode, "layers": [0, 2]}
