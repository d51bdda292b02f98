"""The pretrained model that is retrofitted, and its tokenizer."""

from __future__ import annotations

from typing import Any


def load_base(settings: Any) -> tuple[Any, Any]:
    """Model and tokenizer, on the CPU or the GPU if there is one. A GGUF file becomes a plain float32 model.

    settings: with base_model, gguf_file and attn_implementation, as `RetrofitTraining` has them.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    extra = {"gguf_file": settings.gguf_file} if settings.gguf_file else {}
    tokenizer = AutoTokenizer.from_pretrained(settings.base_model, **extra)
    if settings.attn_implementation is not None:
        extra["attn_implementation"] = settings.attn_implementation
    base = AutoModelForCausalLM.from_pretrained(settings.base_model, **extra)
    if settings.gguf_file:
        base = dequantized(base)
    return base.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def dequantized(base: Any) -> Any:
    """The same weights in a plain model: one read from GGUF calls itself quantized and refuses to be saved."""
    values = {k: v for k, v in base.config.to_dict().items() if k != "quantization_config"}
    plain = type(base)(type(base.config)(**values))
    plain.load_state_dict(base.state_dict())
    plain.generation_config = base.generation_config
    plain.config._name_or_path = plain.name_or_path = base.name_or_path
    return plain.eval()
