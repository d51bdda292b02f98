"""The base class of all tasks and the arrays of characters that a task draws."""

import difflib
import hashlib
import inspect
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

Scale = int | tuple[int, ...]
ScaleRule = tuple[tuple[str | None, str], ...]
Characters = tuple[np.ndarray, np.ndarray]  # prompts (count, P) and answers (count, A), uint8 Latin-1 codes


def character_codes(text: str) -> np.ndarray:
    """The Latin-1 codes of `text` (below 128: ASCII): uint8, (len(text),)."""
    return np.frombuffer(text.encode("latin-1"), dtype=np.uint8)


def assemble(*parts: np.ndarray | str) -> np.ndarray:
    """Join columns of characters: arrays (count, k) of character codes, and strings that repeat in every row."""
    count = next(len(part) for part in parts if not isinstance(part, str))
    columns = [character_codes(part)[None] if isinstance(part, str) else part for part in parts]
    joined = np.empty((count, sum(column.shape[1] for column in columns)), dtype=np.uint8)
    start = 0
    for column in columns:
        joined[:, start : start + column.shape[1]] = column
        start += column.shape[1]
    return joined


def nearest(name: str, allowed: Sequence[str]) -> str:
    """The end of an error sentence about a name: what is allowed and, if one is close, the nearest match."""
    match = difflib.get_close_matches(str(name), allowed, n=1, cutoff=0.5)
    hint = f"; did you mean {match[0]!r}?" if match else ""
    return f"allowed: {', '.join(allowed) or 'nothing'}{hint}"


def check_integer(name: str, value: int, least: int) -> None:
    """Raise ValueError unless `value` is an integer >= `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")


@dataclass(frozen=True)
class Samples:
    """Rows of a task as characters.

    Attributes:
        prompts: uint8, (count, P), Latin-1 codes; 0 means "no character" (right padding of shorter rows).
        answers: uint8, (count, A), likewise; with the chain of thought where the format has one.
        scales: int64, (count, hints).
    """

    prompts: np.ndarray
    answers: np.ndarray
    scales: np.ndarray

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, rows: Any) -> "Samples":
        """The rows chosen by a slice, an index array or a mask."""
        return Samples(self.prompts[rows], self.answers[rows], self.scales[rows])

    def take(self, rows: np.ndarray) -> "Samples":
        """The rows with these numbers, four times as fast as by index."""
        return Samples(*(array.take(rows, axis=0) for array in (self.prompts, self.answers, self.scales)))

    def prompt_strings(self) -> list[str]:
        return _strings(self.prompts)

    def answer_strings(self) -> list[str]:
        return _strings(self.answers)

    @classmethod
    def concatenate(cls, parts: Sequence["Samples"]) -> "Samples":
        """Stack rows; shorter ones are padded on the right with 0."""
        return cls(
            _stack([part.prompts for part in parts]),
            _stack([part.answers for part in parts]),
            np.concatenate([part.scales for part in parts]),
        )


def _strings(codes: np.ndarray) -> list[str]:
    return [row[row != 0].tobytes().decode("latin-1") for row in codes]


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    stacked = np.zeros((sum(map(len, arrays)), max(array.shape[1] for array in arrays)), dtype=np.uint8)
    start = 0
    for array in arrays:
        stacked[start : start + len(array), : array.shape[1]] = array
        start += len(array)
    return stacked


@dataclass(frozen=True)
class TaskConfig:
    """Options that every task has; a task adds its own fields, each with a default.

    A task that can write a chain of thought has an option `cot`, and its config says in `steps` what the steps are
    called. True and that name mean the same, and so do False and "none"; what is stored, and enters the digest, has
    the type of the default.

    Attributes:
        hard: share of the rows drawn as hard cases instead of uniformly (0 to 1).
    """

    steps: ClassVar[str | None] = None
    hard: float = 0.25

    def __post_init__(self) -> None:
        if self.steps is None:
            return
        names = ("none", self.steps)
        if type(self).cot in names and isinstance(self.cot, bool):
            object.__setattr__(self, "cot", names[self.cot])
        elif isinstance(type(self).cot, bool) and self.cot in names:
            object.__setattr__(self, "cot", self.cot == self.steps)

    def validate(self) -> None:
        """Raise ValueError if an option has the wrong type (that of its default) or a forbidden value."""
        names = ("none", self.steps)
        if self.steps and isinstance(self.cot, str) and self.cot not in names:
            raise ValueError(
                f"option 'cot' cannot be {self.cot!r}; it is True or False, or by name; {nearest(self.cot, names)}"
            )
        for field in fields(self):
            value, wanted = getattr(self, field.name), type(field.default)
            kinds = (int, float) if wanted is float else wanted
            if not isinstance(value, kinds) or isinstance(value, bool) != (wanted is bool):
                raise ValueError(
                    f"option {field.name!r} must be {wanted.__name__}, got {value!r} ({type(value).__name__})"
                )
        if not 0 <= self.hard <= 1:
            raise ValueError(f"option 'hard' must lie between 0 and 1, got {self.hard!r}")


class Task:
    """A problem whose instances exist at every scale n >= 1.

    A subclass states `name`, `Config`, `delimiters`, `vocabulary`, `ideal_relations` and two methods: `rows`,
    which draws arrays, and `solve`, which answers one prompt in plain Python and shares no code with `rows`.
    Its docstring's first line is what `describe` prints.

    Attributes:
        name: the name in the registry.
        Config: a frozen dataclass derived from TaskConfig.
        delimiters: the characters that end the fields of a prompt, in order: "+=" for "12+34=".
        final_separator: what stands between chain of thought and final answer, or None.
        ideal_relations: relations between query position i and key position j that suffice to answer at any
            scale. Index 0 is the token <bos>, then come prompt and answer; query i is the position whose next
            token is predicted; `offset(p)` is the distance of p from the last delimiter at or before it
            (<bos> counts as one), and segment s is the s-th field. Empty if no finite set is known.
        src_verdict: whether the number of operators needed (SRC, relative to positional reads) stays
            "constant" with the scale, is "growing" or "unknown": that word, a colon and the reason.
    """

    name: ClassVar[str]
    Config: ClassVar[type[TaskConfig]] = TaskConfig
    delimiters: str = "="
    vocabulary: str
    final_separator: str | None = None
    ideal_relations: tuple[str, ...] = ()
    src_verdict: str = "unknown: no set of relations has been looked for."

    def __init__(self, **options: Any) -> None:
        allowed = [field.name for field in fields(self.Config)]
        for option in options:
            if option not in allowed:
                raise ValueError(f"task {self.name!r} has no option {option!r}; {nearest(option, allowed)}")
        self.config = self.Config(**options)
        self.config.validate()

    # ---- what a subclass writes

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        """Draw prompts (count, P) and answers (count, A), uint8 Latin-1 codes, all of one scale.

        `hard`, bool (count,), marks the rows to be drawn as hard cases.
        """
        raise NotImplementedError

    def solve(self, *parts: str) -> str:
        """The answer to the prompt with these fields; ValueError if they do not fit together."""
        raise NotImplementedError

    # ---- what follows from it

    @property
    def scale_rule(self) -> ScaleRule:
        """Per hint (start, end): n tokens lie strictly between their first occurrences; None = <bos>."""
        starts = (None, *self.delimiters[:-1])
        return tuple(zip(starts, self.delimiters, strict=True))

    @property
    def hints(self) -> int:
        """Number of integers in a scale."""
        return len(self.scale_rule)

    @property
    def options(self) -> dict[str, Any]:
        """All options with their values, JSON-ready."""
        return asdict(self.config)

    @cached_property
    def digest(self) -> int:
        """A 64-bit number made of the task's name and the options that differ from their defaults.

        The same on every machine; a new option leaves it, and with it all rows drawn under it, as they were.
        """
        text = json.dumps([self.name, self._changed()], sort_keys=True)
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")

    def expand(self, n: Scale) -> tuple[int, ...]:
        """One integer -> the scale with every hint equal to it; a tuple is checked and returned.

        Raises:
            ValueError: an entry is no integer or below 1, or their number is not `hints`.
        """
        scale = tuple(n) if isinstance(n, tuple | list) else (n,) * self.hints
        if len(scale) != self.hints:
            raise ValueError(f"task {self.name!r} takes {self.hints} scale(s) n, got {len(scale)}: {n!r}")
        for entry in scale:
            check_integer("a scale n", entry, 1)
        return tuple(int(entry) for entry in scale)

    def sample(self, n: Scale, count: int, rng: np.random.Generator) -> Samples:
        """Draw `count` rows of scale `n`; a share `config.hard` of them are hard cases.

        Raises:
            ValueError: bad scale, negative count, or `rng` is not a numpy Generator.
        """
        scale = self.expand(n)
        check_integer("count", count, 0)
        if not isinstance(rng, np.random.Generator):
            raise ValueError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}")
        hard = rng.random(count) < self.config.hard
        prompts, answers = self.rows(scale, hard, rng)
        return Samples(prompts, answers, np.full((count, self.hints), self.hint(scale), dtype=np.int64))

    def hint(self, scale: tuple[int, ...]) -> tuple[int, ...]:
        """What the model is told at a scale: the characters that the scale rule counts.

        That is the scale itself, unless the format spends another number of characters on it.
        """
        return scale

    def difficulty(self, samples: Samples) -> np.ndarray:
        """A small number for every row, larger where the row is harder: int32, (count,).

        By default the number of characters of the answer, all of which must be right. A task overrides it with what
        makes its own rows hard, and says so in its docstring; numbers of different tasks are not comparable.

        Args:
            samples: rows of one scale, as `sample` draws them.
        """
        answers = samples.answers
        if answers.all():
            return np.full(len(answers), answers.shape[1], dtype=np.int32)
        return np.count_nonzero(answers, axis=1).astype(np.int32)

    @property
    def least(self) -> tuple[int, ...]:
        """The smallest entry that each hint of a scale may have."""
        return (1,) * self.hints

    def draw_scales(self, n_min: int, n_max: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """Scales with every hint uniform in [n_min, n_max], which must be a range: int64, (count, hints)."""
        check_integer("n_min", n_min, 1)
        check_integer("n_max", n_max, 1)
        if n_min > n_max:
            raise ValueError(f"n_min must not exceed n_max, got n_min={n_min}, n_max={n_max}")
        return rng.integers(n_min, n_max, size=(count, self.hints), endpoint=True)

    def answer(self, prompt: str) -> str:
        """The right answer to `prompt`, computed independently of the sampler.

        Raises:
            ValueError: the prompt does not have the task's format.
        """
        return self.solve(*self.parse(prompt))

    def parse(self, prompt: str) -> list[str]:
        """Cut a prompt into its fields: "12+34=" -> ["12", "34"].

        Raises:
            ValueError: a delimiter is missing or repeated, a field is empty or has a foreign character.
        """
        if not isinstance(prompt, str):
            raise ValueError(f"a prompt must be a string, got {type(prompt).__name__}")
        parts, rest = [], prompt
        for delimiter in self.delimiters:
            part, found, rest = rest.partition(delimiter)
            if not found:
                raise ValueError(f"{self._shown(prompt)} lacks {delimiter!r}; {self._format()}")
            parts.append(part)
        if rest:
            raise ValueError(f"{self._shown(prompt)} goes on after {self.delimiters[-1]!r}; {self._format()}")
        allowed = set(self.vocabulary) - set(self.delimiters) - set(self.final_separator or "")
        for part in parts:
            foreign = sorted(set(part) - allowed)
            if not part or foreign:
                fault = f"has foreign characters {''.join(foreign)!r}" if foreign else "has an empty field"
                raise ValueError(f"{self._shown(prompt)} {fault}; {self._format()}")
        return parts

    def scale_of(self, prompt: str) -> tuple[int, ...]:
        """The hint that the scale rule reads off a prompt; ValueError if a delimiter is missing."""
        scale = []
        for start, end in self.scale_rule:
            first, last = -1 if start is None else prompt.find(start), prompt.find(end)
            if last < 0 or (start is not None and first < 0) or last < first:
                raise ValueError(f"{self._shown(prompt)} lacks {start or ''!r} ... {end!r}; {self._format()}")
            scale.append(last - first - 1)
        return tuple(scale)

    def lengths(self, n: Scale) -> tuple[int, int]:
        """(characters of a prompt, characters of an answer) at scale n, for tasks of fixed width."""
        samples = self.sample(n, 1, np.random.default_rng(0))
        return samples.prompts.shape[1], samples.answers.shape[1]

    def final(self, answer: str) -> str:
        """The final answer: what follows the last `final_separator`, or all of `answer`."""
        return answer if self.final_separator is None else answer.rpartition(self.final_separator)[2]

    @property
    def summary(self) -> str:
        """What the task is, with its format, in one line. Options that change the format have an example of their own:
        the class's line is about the default ones.
        """
        changed = {key: value for key, value in self._changed().items() if key != "hard"}
        if not changed:
            return inspect.getdoc(type(self)).splitlines()[0]
        example = self._example()
        options = ", ".join(f"{key}={value!r}" for key, value in changed.items())
        return f'with {options}: "{example.prompt_strings()[0]}" -> "{example.answer_strings()[0]}".'

    def describe(self) -> str:
        """A few lines: what it is, its format, scale and options, and one worked example."""
        example = self._example()
        prompt = example.prompt_strings()[0]
        rule = ", ".join(
            f"{scale} characters {'before' if start is None else f'between {start!r} and'} {end!r}"
            for scale, (start, end) in zip(example.scales[0], self.scale_rule, strict=True)
        )
        return "\n".join(
            [
                f"{self.name}: {self.summary}",
                f"  options: {', '.join(f'{key}={value!r}' for key, value in self.options.items())}",
                f"  vocabulary: {self.vocabulary}",
                f"  ideal relations: {'; '.join(self.ideal_relations) or 'no finite set known'}",
                f"  example: {prompt} -> {example.answer_strings()[0]}   (scale: {rule})",
            ]
        )

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self._changed().items())
        return f"{type(self).__name__}({options})"

    def _changed(self) -> dict[str, Any]:
        """Options that differ from their defaults, in their types: 1 and 1.0 give one digest."""
        defaults = {field.name: field.default for field in fields(self.config)}
        return {k: type(defaults[k])(v) for k, v in self.options.items() if v != defaults[k]}

    def _example(self) -> Samples:
        return self.sample(self.expand(4), 1, np.random.default_rng(1))

    def _format(self) -> str:
        return f"a prompt of task {self.name!r} looks like {self._example().prompt_strings()[0]!r}"

    def _shown(self, prompt: str) -> str:
        if len(prompt) <= 40:
            return f"prompt {prompt!r}"
        return f"prompt {prompt[:40]!r}... ({len(prompt)} characters)"
