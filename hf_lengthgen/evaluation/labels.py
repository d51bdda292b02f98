"""How variants are called in legends, tables and cards."""

from typing import Any

# Order matters: it deals out colours in plots, so that an embedding keeps its colour when the results change.
NAMES = {
    "lbpe": "LBPE",
    "ipe": "IPE (oracle)",
    "rope": "RoPE",
    "none": "NoPE",
    "learned": "learned APE",
    "alibi": "ALiBi",
    "t5": "T5 bias",
    "abacus": "Abacus",
    "coupling": "position coupling",
    "fire": "FIRE",
    "sinusoidal": "sinusoidal",
    "randomized": "randomized PE",
    "shaw": "Shaw",
    "kerple": "KERPLE",
    "sandwich": "Sandwich",
    "xpos": "xPos",
    "cope": "CoPE",
    "dape": "DAPE",
    "urpe": "URPE",
    "rpe_square": "RPE-Square",
    "random_float": "random float",
    "hard_alibi": "hard ALiBi",
    "transformer_xl": "Transformer-XL",
    "forgetting": "forgetting attention",
    "path": "PaTH",
}
# What an embedding is told about the task beyond the tokens, by construction.
KNOWLEDGE = {
    "abacus": "which tokens are digits",
    "coupling": "how the answer lines up with the prompt",
    "ipe": "the relations that solve the task",
}
HINTS = {"none": "", "prompt": " + hint", "input": " + given hint"}


def embedding_name(name: str) -> str:
    """The usual spelling of an embedding's name; an unknown name as it is."""
    return NAMES.get(name, name)


def with_knowledge(extra: str, position_embedding: str) -> str:
    """`extra`, what a run was told ("none" or "a; b"), and what its embedding is told (`KNOWLEDGE`), once."""
    known = KNOWLEDGE.get(position_embedding)
    if known is None or known in extra.split("; "):
        return extra
    return known if extra == "none" else f"{extra}; {known}"


def variant_name(
    position_embedding: str, scale_hint: str, options: dict[str, Any] | None = None, *, whole: bool = False
) -> str:
    """ "LBPE + hint", "RoPE", "LBPE (window 3) + hint": embedding, the given options, and whether it knows
    the scale.

    "+ hint": the Scale Hint is read off the prompt; "+ given hint": it is an input beside the prompt. Long values
    are cut, unless `whole`.
    """
    chosen = ", ".join(f"{key} {value if whole else _short(value)}" for key, value in (options or {}).items())
    return embedding_name(position_embedding) + (f" ({chosen})" if chosen else "") + HINTS.get(scale_hint, "")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:21] + "..."
