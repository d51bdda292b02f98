"""Position contexts for tests of single embeddings."""

import torch

from hf_lengthgen.model.position_context import PositionContext


def context(queries, keys=None, scale=None, boundaries=None, left_pad=(0,)):
    """Queries 0..T-1 and key slots 0..S-1, shifted by the padding in front of each example."""
    pad = torch.tensor(left_pad)
    q = (torch.arange(queries)[None] - pad[:, None]).clamp(min=-1)
    k = (torch.arange(keys or queries)[None] - pad[:, None]).clamp(min=-1)
    if scale is not None:
        scale = torch.tensor(scale).reshape(len(scale), -1)
    if boundaries is not None:
        boundaries = torch.tensor(boundaries)
    return PositionContext(q, k, pad, q, k, scale=scale, boundaries=boundaries)
