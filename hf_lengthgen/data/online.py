"""Training batches drawn on the fly."""

from typing import Any

from transformers import PreTrainedTokenizerFast

from ..tasks import Samples, Task
from ..tasks.task import Scale
from .batches import Batches
from .lengths import Lengths

ONLINE = 0  # the stream of random numbers; stored splits use 1, 2, 3 (see builder.py)


class OnlineBatches(Batches):
    """Fresh batches of a task.

    Args:
        task, tokenizer, batch_size, groups, seed: as for `Batches`.
        n_min, n_max: by default every hint of a scale is uniform in [n_min, n_max].
        **lengths: length_weights, curriculum, priming_share, priming_n, see `Lengths`. A curriculum counts steps, and
            of the groups, not the rows, a share is priming.

    Raises:
        ValueError: what `Batches` refuses, or a bad range.
    """

    def __init__(
        self,
        task: Task,
        tokenizer: PreTrainedTokenizerFast,
        n_min: Scale,
        n_max: Scale,
        batch_size: int,
        groups: int = 1,
        seed: int = 0,
        **lengths: Any,
    ) -> None:
        self.lengths = Lengths(n_min, n_max, **lengths)
        self.lengths.check(task)
        super().__init__(task, tokenizer, batch_size, groups, seed)

    def samples(self, step: int) -> Samples:
        rng = self.generator(ONLINE, step)
        scales = self.lengths.draw(self.task, self.groups, rng, at=step)
        size = self.batch_size // self.groups
        return Samples.concatenate([self.task.sample(tuple(scale), size, rng) for scale in scales])

    def reached(self, steps: int) -> tuple[int, int]:
        return self.lengths.reached(steps)
