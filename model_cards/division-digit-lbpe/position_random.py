"""Embeddings on random positions: `randomized` (whole numbers) and `random_float`, over the ordinary embeddings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from .position_absolute import LearnedEmbedding, SinusoidalEmbedding
from .position_base import Capabilities, PositionEmbedding, nearest
from .position_bias import AlibiEmbedding
from .position_ids import place, require_full_input, seeded_ids, training_generator
from .position_kernel import FireEmbedding
from .position_relative import ShawEmbedding, TransformerXlEmbedding
from .position_rotary import RotaryEmbedding


@dataclass(frozen=True)
class RandomIdOptions:
    """What embeddings on random positions have in common.

    Attributes:
        kind: the embedding that reads the ids.
        gap: mean distance between neighbouring ids at evaluation.
        seed: of the ids at evaluation.
    """

    kind: str = "sinusoidal"
    gap: int = 4
    seed: int = 0

    def validate(self, config) -> None:
        if not 0.01 <= self.gap <= 10_000:
            raise ValueError(
                f"position option gap of {config.position_embedding!r} must be between 0.01 and 10000, not {self.gap}."
            )
        if self.seed < 0:
            raise ValueError(f"position option seed of {config.position_embedding!r} must not be negative.")
        # The options of the embedding that reads the ids stand behind these.
        inner = getattr(super(), "validate", None)
        if inner is not None:
            inner(config)


@dataclass(frozen=True)
class RandomFloatOptions(RandomIdOptions):
    """As `RandomIdOptions`; the mean gap need not be a whole number."""

    gap: float = 4.0


class RandomIds:
    """Mix-in: ids drawn from the range of `max_position_embeddings`, in order. Stands before the embedding's class.

    Training: one draw per forward pass, the same for all layers and examples; an input of T tokens gets T ids of
    the whole range. It is made before the layers run, so gradient checkpointing sees the same one again; with
    `set_gate_noise` it is a function of (seed, step).

    Evaluation: the paper draws ids anew for each input, which needs the length of the input: a token more would
    move all ids, and cached keys would stand at old ones. Here the ids are the cumulative sum of seeded positive
    gaps, so the id of a position does not depend on what follows [departs from the papers]. They leave the range
    after about max_position_embeddings / gap tokens, which is an error; choose `gap` and
    `max_position_embeddings` by the longest input. T tokens had a mean gap of max_position_embeddings / T in
    training: a `gap` far below that costs accuracy at lengths trained on, too.

    With a Scale Hint, the query moves by c_h·n positions, not ids: φ(id(i - c_h·n), id(j)) [our formulation].
    """

    whole = True

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.id_range = config.max_position_embeddings
        self.noise_key: tuple[int, int] | None = None

    @property
    def capabilities(self) -> Capabilities:
        return dataclasses.replace(super().capabilities, extrapolates=False, export=not self.has_scale)

    def draw(self, count: int) -> torch.Tensor:
        """(count,) this training step's ids, in order, without repeats."""
        generator = training_generator(self.noise_key)
        if self.whole:
            return torch.randperm(self.id_range, generator=generator)[:count].sort().values
        return (torch.rand(count, generator=generator) * self.id_range).sort().values

    def make_ids(self, input_ids, position_ids) -> torch.Tensor:
        """(B|1, S) ids, -1 where the position is -1.

        Raises:
            ValueError: ids beyond `max_position_embeddings`; training mode without the full input.
        """
        count, device = position_ids.shape[1], position_ids.device
        if not self.training:
            ids = place(seeded_ids(count, self.options.gap, self.options.seed, device, self.whole), position_ids)
            self._check_range(ids, position_ids)
            return ids
        require_full_input(self.name, input_ids)
        if self.whole and count > self.id_range:
            raise ValueError(
                f"an input of {count} tokens needs as many different positions, {self.name!r} has "
                f"max_position_embeddings = {self.id_range}."
            )
        return place(self.draw(count).to(device), position_ids)

    def _check_range(self, ids: torch.Tensor, position_ids: torch.Tensor) -> None:
        if torch.compiler.is_compiling() or not ids.numel():
            return
        last = float(ids.max())
        if last >= self.id_range:
            raise ValueError(
                f"position {int(position_ids.max())} gets the id {last:g}, but the ids of {self.name!r} end below "
                f"max_position_embeddings = {self.id_range}: choose a smaller position option gap (now "
                f"{self.options.gap:g}) or a larger max_position_embeddings."
            )


class RandomizedSinusoidal(RandomIds, SinusoidalEmbedding):
    """Randomized positions (2305.16843), sinusoidal."""

    name = "randomized"

    @dataclass(frozen=True)
    class Options(RandomIdOptions, SinusoidalEmbedding.Options):
        pass


class RandomizedLearned(RandomIds, LearnedEmbedding):
    """Randomized positions (2305.16843), a learned vector for each id."""

    name = "randomized"

    @dataclass(frozen=True)
    class Options(RandomIdOptions, PositionEmbedding.Options):
        pass


class RandomizedRotary(RandomIds, RotaryEmbedding):
    """Randomized positions (2305.16843), rotary."""

    name = "randomized"

    @dataclass(frozen=True)
    class Options(RandomIdOptions, RotaryEmbedding.Options):
        pass


class RandomizedAlibi(RandomIds, AlibiEmbedding):
    """Randomized positions (2305.16843), ALiBi."""

    name = "randomized"

    @dataclass(frozen=True)
    class Options(RandomIdOptions, AlibiEmbedding.Options):
        pass


class RandomizedTransformerXl(RandomIds, TransformerXlEmbedding):
    """Randomized positions (2305.16843), the relative encoding of Transformer-XL."""

    name = "randomized"

    @dataclass(frozen=True)
    class Options(RandomIdOptions, TransformerXlEmbedding.Options):
        pass


class RandomizedShaw(RandomIds, ShawEmbedding):
    """Randomized positions with a table that is not clipped: L ids have 2L - 1 distances, each with a row."""

    name = "randomized"

    @dataclass(frozen=True)
    class Options(RandomIdOptions):
        """As Shaw's, without a window."""

        values: bool = False
        per_head: bool = False
        scale_shifts: int = 4

        # Read by ShawEmbedding's check alone.
        window = 1

        def validate(self, config) -> None:
            RandomIdOptions.validate(self, config)
            ShawEmbedding.Options.validate(self, config)

    def table_window(self, config) -> int:
        return max(1, config.max_position_embeddings - 1)


class RandomizedFire(RandomIds, FireEmbedding):
    """Randomized positions with FIRE, as in 2402.09371."""

    name = "randomized"

    @dataclass(frozen=True)
    class Options(RandomIdOptions, FireEmbedding.Options):
        pass

    @classmethod
    def shared_form(cls) -> type[PositionEmbedding]:
        return RandomizedSharedFire


class RandomizedSharedFire(RandomizedFire):
    """Randomized positions with FIRE-S."""

    per_layer = False


class RandomFloatSinusoidal(RandomIds, SinusoidalEmbedding):
    """Random float sampling (2602.14050), sinusoidal."""

    name = "random_float"
    whole = False

    @dataclass(frozen=True)
    class Options(RandomFloatOptions, SinusoidalEmbedding.Options):
        pass


class RandomFloatRotary(RandomIds, RotaryEmbedding):
    """Random float sampling (2602.14050), rotary."""

    name = "random_float"
    whole = False

    @dataclass(frozen=True)
    class Options(RandomFloatOptions, RotaryEmbedding.Options):
        pass


class RandomFloatAlibi(RandomIds, AlibiEmbedding):
    """Random float sampling (2602.14050), ALiBi."""

    name = "random_float"
    whole = False

    @dataclass(frozen=True)
    class Options(RandomFloatOptions, AlibiEmbedding.Options):
        pass


class RandomFamily(PositionEmbedding):
    """One name for several embeddings on random positions; `kind` chooses, by the name of the ordinary one."""

    takes_scale_hint = True
    Options = RandomIdOptions
    kinds: dict[str, type[PositionEmbedding]] = {}

    @classmethod
    def resolve(cls, config) -> type[PositionEmbedding]:
        """
        Raises:
            ValueError: an unknown kind; a Scale Hint for a kind that is not relative.
        """
        kind = (config.position_options or {}).get("kind", RandomIdOptions.kind)
        if kind not in cls.kinds:
            raise ValueError(
                f"position option kind of {cls.name!r} must be one of {', '.join(cls.kinds)}, not {kind!r}."
                f"{nearest(kind, cls.kinds)}"
            )
        if config.scale_hint != "none" and not cls.kinds[kind].takes_scale_hint:
            relative = ", ".join(name for name, member in cls.kinds.items() if member.takes_scale_hint)
            raise ValueError(
                f"scale_hint={config.scale_hint!r}, but {cls.name!r} of kind {kind!r} does not use a Scale Hint; "
                f"kinds that do: {relative}."
            )
        return cls.kinds[kind].resolve(config)


class RandomizedEmbedding(RandomFamily):
    """Randomized positions (2305.16843): T tokens get T whole numbers of 0, …, L - 1, in order, L =
    `max_position_embeddings`; `kind` says which embedding reads them. See `RandomIds` for where they come from.

    The paper's relative kinds draw the distances 1, 2, … of a query instead of the ids, so that all queries agree on
    them; here a distance is the difference of two ids [departs from the paper], as it must be where one and the same
    set of ids serves all kinds. All 2L - 1 differences are told apart: `transformer_xl` computes their sinusoids,
    `shaw` has a row for each.
    """

    name = "randomized"
    kinds = {
        "sinusoidal": RandomizedSinusoidal,
        "learned": RandomizedLearned,
        "rope": RandomizedRotary,
        "alibi": RandomizedAlibi,
        "transformer_xl": RandomizedTransformerXl,
        "shaw": RandomizedShaw,
        "fire": RandomizedFire,
    }


class RandomFloatEmbedding(RandomFamily):
    """Random float sampling (2602.14050): ids are drawn from the interval [0, L), L = `max_position_embeddings`, so
    that no distance is out of distribution for being between two whole numbers; `kind` says what reads them.

    Only the paper's abstract was at hand: "randomly sampled continuous values" instead of a discrete set, for
    sinusoidal embeddings, RoPE and ALiBi. Our reading: in training T independent uniform numbers, sorted; at
    evaluation the seeded gaps of `RandomIds`, uniform on (0, 2·gap].
    """

    name = "random_float"
    Options = RandomFloatOptions
    kinds = {"sinusoidal": RandomFloatSinusoidal, "rope": RandomFloatRotary, "alibi": RandomFloatAlibi}
