"""How many examples go through the model at once: as many as a fixed budget of memory holds."""

from typing import Any

GENERATE_TOKENS = 200_000  # slots of the key-value cache over the batch
TEACHER_TOKENS = 65_536  # positions of one forward pass over the batch
SCORE_BYTES = 2**30  # one dense table of attention scores, float32, over batch and heads


def default_batch_size(model: Any, prompt: int, total: int, mode: str) -> int:
    """The batch size, at least 1, for rows of one scale.

    Args:
        model: its `config.num_attention_heads` counts, unless `model.sparse` says that no table of scores is
            made.
        prompt: tokens of a prompt, `<bos>` included.
        total: tokens of prompt and answer with `<bos>` and `<eos>`.
        mode: "generate" (only the prompt meets itself in a square table of scores, unless `model.square_tables`)
            or "teacher" (everything does).
    """
    size = (GENERATE_TOKENS if mode == "generate" else TEACHER_TOKENS) // total
    if not getattr(model, "sparse", False):
        square = prompt if mode == "generate" and not getattr(model, "square_tables", False) else total
        size = min(size, SCORE_BYTES // (4 * model.config.num_attention_heads * square * square))
    return max(1, size)
