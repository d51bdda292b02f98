"""The two schedules of training, as pure functions of the step: nothing to save, nothing to restore."""

from __future__ import annotations

import math


def learning_rate_factor(step: int, steps: int, warmup_steps: int, final_ratio: float) -> float:
    """The factor on every learning rate at `step` (0-based) of `steps`.

    Rises linearly, 1/warmup_steps at step 0 to 1 at step warmup_steps - 1, then follows half a cosine down to
    `final_ratio`, which the last step (steps - 1) has exactly.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    decay_steps = steps - 1 - warmup_steps
    progress = min(1.0, (step - warmup_steps) / decay_steps) if decay_steps > 0 else 1.0
    return final_ratio + (1.0 - final_ratio) * 0.5 * (1.0 + math.cos(math.pi * progress))


def penalty_weight(step: int, steps: int, penalty: float, warmup_share: float) -> float:
    """The weight λ of the open-gate penalty at `step`: 0 at step 0, linear up to `penalty` over the first
    `warmup_share` of the steps, constant after."""
    warmup = warmup_share * steps
    if step >= warmup:
        return penalty
    return penalty * step / warmup
