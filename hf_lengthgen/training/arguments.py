"""TrainingConfig, and how it is read: defaults, then a YAML file, then `--key value` from the command line.

This module imports neither torch nor transformers: `lengthgen train --help` has to be quick.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from ..evaluation.hard import HARD
from ..nearest import did_you_mean
from .mixture import read_tasks
from .values import convert, is_mapping, parse_yaml

SCALE_HINTS = ("none", "input", "prompt")
PRECISIONS = ("no", "bf16", "fp16")
RELATIONS = ("dictionary", "discovered")
TRACKERS = ("none", "tensorboard", "trackio", "wandb")


def _setting(default: Any, text: str, decides: str = "weights") -> Any:
    """`decides`: what it has an influence on: the trained "weights", only their "scores", or "nothing" that is kept."""
    about = {"help": text, "decides": decides}
    if isinstance(default, dict | list):
        return field(default_factory=lambda: type(default)(default), metadata=about)
    return field(default=default, metadata=about)


def _scoring(default: Any, text: str) -> Any:
    return _setting(default, text, decides="scores")


def _running(default: Any, text: str) -> Any:
    return _setting(default, text, decides="nothing")


@dataclass
class TrainingConfig:
    """Everything that decides a run. Flat; the defaults are those measured to work for LBPE.

    `validate()` raises ValueError with one sentence that names the key. Task and position options are checked
    by the task and by the model configuration, which alone know them.
    """

    # what is learned
    task: str = _setting("addition", "name of the task (`lengthgen tasks` lists them)")
    task_options: dict = _setting({}, "options of the task, e.g. --task_options.base 2")
    tasks: list | None = _setting(None, "several tasks for one model, e.g. [{name: copy}, {name: reverse, weight: 2}]")
    n_min: int = _setting(1, "smallest scale in training")
    n_max: int = _setting(12, "largest scale in training")
    length_weights: dict[int, float] | None = _setting(None, "how often each n, as n: weight; null: equally often")
    curriculum: dict[int, int] | None = _setting(None, "a growing n_max, as step: n_max; it starts with step 0")
    priming_share: float = _setting(0.0, "share of the batches' groups that are long instances (arXiv 2306.15400)")
    priming_n: list = _setting([], "their scale, or its smallest and largest value")
    dataset: str | None = _setting(None, "train on rows of this data set (folder or Hub name); null: fresh rows")
    init_from: str | None = _setting(None, "start from the weights of this model (folder or Hub name)")
    # the model
    position_embedding: str = _setting("lbpe", "name of the position embedding (`lengthgen positions` lists them)")
    position_options: dict = _setting({}, "options of the position embedding, e.g. --position_options.window 3")
    relations: str = _setting("dictionary", "LBPE's: dictionary, or discovered (only those the task needs)")
    scale_hint: str = _setting("prompt", "none, input (a tensor given with every call) or prompt (inferred from it)")
    hidden_size: int = _setting(128, "width of the model")
    num_hidden_layers: int = _setting(2, "number of layers")
    num_attention_heads: int = _setting(4, "number of attention heads")
    intermediate_size: int = _setting(384, "width of the feed-forward layers")
    max_position_embeddings: int = _setting(4096, "rows of a position table (learned embeddings), in tokens")
    attention_temperature: str = _setting("none", "none, or log_length: logits grow with the logarithm of the length")
    temperature_length: int | None = _setting(None, "up to this many tokens log_length changes nothing")
    logit_scale: float = _setting(1.0, "factor on all attention logits")
    # optimisation
    steps: int = _setting(1500, "number of optimizer steps")
    batch_size: int = _setting(128, "examples per step, over all processes")
    groups: int = _setting(1, "scales per batch: batch_size / groups examples share one scale")
    learning_rate: float = _setting(1e-3, "peak learning rate of AdamW")
    gate_learning_rate: float = _setting(2e-2, "peak learning rate of the gates")
    weight_decay: float = _setting(0.01, "decoupled weight decay; none on gates, norms and biases")
    adam_beta1: float = _setting(0.9, "AdamW's first beta")
    adam_beta2: float = _setting(0.98, "AdamW's second beta")
    clip: float = _setting(1.0, "largest gradient norm")
    gradient_accumulation_steps: int = _setting(1, "parts in which a process takes its share of the batch")
    gradient_checkpointing: bool = _running(False, "recompute activations in the backward pass: less memory")
    mixed_precision: str | None = _setting(None, "no, bf16 or fp16; null: what `accelerate launch` says")
    warmup_steps: int = _setting(100, "steps of linear warm-up of the learning rates")
    final_learning_rate_ratio: float = _setting(0.02, "the cosine ends at this share of the peak")
    penalty: float = _setting(0.003, "weight of the expected number of open gates in the loss")
    penalty_warmup: float = _setting(0.5, "share of the steps over which the penalty rises from 0")
    settle: float = _setting(0.8, "share of the steps after which the gates are rounded; the rest trains them so")
    seed: int = _setting(0, "seed of the initial weights, the data and all noise")
    threads: int | None = _running(None, "CPU threads; null leaves torch's own choice")
    num_processes: int | None = _running(None, "the run fails unless it has this many processes; null: any number")
    # evaluation
    eval_lengths: list = _scoring([10, 20, 50, 100], "scales for greedy generation; 30x100 is a scale of two hints")
    eval_examples: int = _scoring(100, "examples per length in greedy generation")
    long_lengths: list = _scoring([1000], "scales for teacher-forced evaluation (same exact match, one forward)")
    long_examples: int = _scoring(16, "examples per length in teacher-forced evaluation")
    stop_at_zero: bool = _scoring(True, "skip scales beyond one at which no example was right")
    eval_seed: int = _scoring(1234, "seed of the evaluation examples")
    eval_hard: float | None = _scoring(HARD, "share of hard cases among them; null: the task's own share")
    # watching and saving
    validate_every: int = _running(250, "steps between quick teacher-forced validations; 0: never")
    validate_lengths: list = _running([12, 25, 50, 100], "scales of the quick validation")
    early_stopping: int = _setting(
        0, "stop after so many validations in a row that solved all, gates settled; 0: never"
    )
    tracker: str = _running("none", "none, tensorboard, trackio or wandb: where the history is logged as well")
    save_every: int = _running(250, "steps between checkpoints; 0: only at the end")
    keep_checkpoints: int = _running(2, "how many of the last checkpoints are kept")
    output_dir: str | None = _running(None, "where everything goes; null: runs/<name>/seed<seed>")
    resume: bool = _running(True, "go on from what output_dir holds; false: start over, discarding it")
    name: str | None = _running(None, "name in result files; null: that of the YAML file, or task/embedding")

    def __post_init__(self) -> None:
        if self.tasks is not None:
            self.tasks = read_tasks(self.tasks)

    def validate(self) -> None:
        """Raises ValueError unless every value is in its range."""
        for key in (
            "n_min",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
            "steps",
            "batch_size",
            "groups",
            "eval_examples",
            "long_examples",
            "keep_checkpoints",
            "gradient_accumulation_steps",
        ):
            self._require(key, getattr(self, key) >= 1, "at least 1")
        for key in ("threads", "num_processes"):
            self._require(key, getattr(self, key) is None or getattr(self, key) >= 1, "at least 1, or null")
        for key in (
            "warmup_steps",
            "validate_every",
            "save_every",
            "seed",
            "eval_seed",
            "weight_decay",
            "penalty",
            "gate_learning_rate",
            "early_stopping",
        ):
            self._require(key, getattr(self, key) >= 0, "at least 0")
        for key in ("learning_rate", "clip", "logit_scale"):
            self._require(key, getattr(self, key) > 0, "above 0")
        for key in ("adam_beta1", "adam_beta2"):
            self._require(key, 0 <= getattr(self, key) < 1, "in [0, 1)")
        for key in ("settle", "penalty_warmup", "final_learning_rate_ratio"):
            self._require(key, 0 <= getattr(self, key) <= 1, "in [0, 1]")
        self._require("n_max", self.n_max >= self.n_min, f"at least n_min = {self.n_min}")
        self._require("groups", self.batch_size % self.groups == 0, f"a divisor of batch_size = {self.batch_size}")
        self._require(
            "num_attention_heads",
            self.hidden_size % self.num_attention_heads == 0,
            f"a divisor of hidden_size = {self.hidden_size}",
        )
        self._one_of("scale_hint", SCALE_HINTS)
        self._one_of("tracker", TRACKERS)
        self._one_of("relations", RELATIONS)
        if self.relations == "discovered" and self.position_embedding != "lbpe":
            raise ValueError(f"relations='discovered' is for lbpe, not for {self.position_embedding!r}.")
        if self.mixed_precision is not None:
            self._one_of("mixed_precision", PRECISIONS)
        online = ("length_weights", "curriculum", "priming_share", "priming_n")
        given = [key for key in online if getattr(self, key)]
        if self.dataset is not None and given:
            raise ValueError(f"{given[0]} is for fresh rows; dataset {self.dataset!r} has its own lengths.")
        if self.early_stopping and not (self.validate_every and self.validate_lengths):
            raise ValueError("early_stopping needs validations: set validate_every and validate_lengths.")
        self._require("eval_hard", self.eval_hard is None or 0 <= self.eval_hard <= 1, "from 0 to 1, or null")
        self._check_mixture()
        for key in ("eval_lengths", "long_lengths", "validate_lengths"):
            good = all(all(n >= 1 for n in (s if isinstance(s, tuple) else (s,))) for s in getattr(self, key))
            self._require(key, good, "a list of scales, each at least 1")

    def _check_mixture(self) -> None:
        if self.tasks is None:
            return
        if self.task_options or self.task != TrainingConfig.task:
            raise ValueError("give either task and task_options, or tasks, not both.")
        if self.dataset is not None:
            raise ValueError("tasks is for fresh rows; a dataset holds the rows of one task.")
        if self.relations == "discovered":
            raise ValueError("relations='discovered' looks at a single task; with tasks, list position_options.forms.")
        if self.position_embedding == "coupling":
            raise ValueError("'coupling' counts places from <bos>, where a mixture has the marks of its tasks.")

    def _one_of(self, key: str, allowed: tuple[str, ...]) -> None:
        value = getattr(self, key)
        if value not in allowed:
            hint = did_you_mean(value, allowed) or "."
            raise ValueError(f"{key} must be one of {', '.join(allowed)}, got {value!r}{hint}")

    def _require(self, key: str, good: bool, allowed: str) -> None:
        if not good:
            raise ValueError(f"{key} must be {allowed}, got {getattr(self, key)!r}.")

    @property
    def lengths(self) -> dict[str, Any]:
        """The distribution of scales in training: keyword arguments of `data.lengths.Lengths`."""
        priming = self.priming_n[0] if len(self.priming_n) == 1 else tuple(self.priming_n)
        return {
            "n_min": self.n_min,
            "n_max": self.n_max,
            "length_weights": self.length_weights,
            "curriculum": self.curriculum,
            "priming_share": self.priming_share,
            "priming_n": priming or None,
        }

    @property
    def label(self) -> str:
        """The name under which results are filed."""
        tasks = self.task if self.tasks is None else "-".join(entry["label"] for entry in self.tasks)
        return self.name or f"{tasks}/{self.position_embedding}"

    @property
    def run_name(self) -> str:
        """The name of this one run, e.g. addition-lbpe-seed3."""
        return f"{self.label.replace('/', '-')}-seed{self.seed}"

    def to_dict(self) -> dict[str, Any]:
        """A plain dict, safe for JSON; scales of several hints become lists."""
        lists = ("eval_lengths", "long_lengths", "validate_lengths")
        plain = dataclasses.asdict(self)
        plain |= {key: [list(s) if isinstance(s, tuple) else s for s in plain[key]] for key in lists}
        for key in ("length_weights", "curriculum"):  # JSON knows no numbers as keys
            if plain[key] is not None:
                plain[key] = {str(number): value for number, value in plain[key].items()}
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "") -> TrainingConfig:
        """Builds and validates a config. `source` (a file name) goes in front of error messages.

        Raises ValueError for unknown keys (naming the nearest one), wrong types and values out of range.
        """
        where = f"{source}: " if source else ""
        kinds = get_type_hints(cls)
        clean = {}
        for key, value in values.items():
            check_key(key, where)
            clean[key] = convert(value, kinds[key], f"{where}{key}", scales=key.endswith("_lengths"))
        try:
            config = cls(**clean)
            config.validate()
        except ValueError as error:
            raise ValueError(f"{where}{error}") from None
        return config


def setting_names() -> list[str]:
    return [f.name for f in dataclasses.fields(TrainingConfig)]


def check_key(key: Any, where: str = "") -> None:
    """Raises ValueError, with the nearest match, unless `key` is a setting."""
    names = setting_names()
    if key not in names:
        hint = did_you_mean(key, names) or f"; the settings are {', '.join(names)}."
        raise ValueError(f"{where}unknown setting {str(key)!r}{hint}")


# ------------------------------------------------------------------------------------------------- files


def config_folders() -> list[Path]:
    """Where packaged configs lie: inside an installed wheel, or beside the package in a source checkout."""
    package = Path(__file__).resolve().parent.parent
    return [package / "recipes" / "configs", package.parent / "recipes" / "configs"]


def list_configs() -> list[str]:
    """Names of the packaged configs, e.g. `addition/lbpe`."""
    found = set()
    for folder in config_folders():
        found.update(p.relative_to(folder).with_suffix("").as_posix() for p in folder.glob("*/*.yaml"))
    return sorted(found)


def find_config(path_or_name: str) -> Path:
    """A YAML file by path, or by packaged name. FileNotFoundError names the nearest packaged config."""
    path = Path(path_or_name)
    if path.is_file():
        return path
    name = path_or_name.removesuffix(".yaml")
    for folder in config_folders():
        packaged = folder / f"{name}.yaml"
        if packaged.is_file():
            return packaged
    names = list_configs()
    hint = did_you_mean(name, names) or f"; packaged configs are {', '.join(names) or '(none)'}."
    raise FileNotFoundError(f"No config file {path_or_name!r}, and no packaged config of that name{hint}")


def load_training_config(path_or_name: str | Path | None = None, overrides: Iterable[str] = ()) -> TrainingConfig:
    """Reads a config: defaults < YAML file < overrides.

    `path_or_name`: a YAML file, the name of a packaged config (`addition/lbpe`), or None for the defaults.
    `overrides`: command-line words such as `["--seed", "3", "--position_options.window", "3"]`.

    Raises FileNotFoundError or ValueError, in one sentence naming file and key.
    """
    given = parse_overrides(overrides)
    values: dict[str, Any] = {}
    source = ""
    if path_or_name is not None:
        path = find_config(str(path_or_name))
        source = str(path_or_name)
        values = parse_yaml(_read(path), source)
        if values is None:
            values = {}
        if not isinstance(values, dict):
            raise ValueError(f"{source}: a config is a mapping of settings to values, got {type(values).__name__}.")
        # Checked alone first, so that a message about the file names the file and not the command line;
        # ranges are left to the end, where an override may still make up for them.
        kinds = get_type_hints(TrainingConfig)
        for key, value in values.items():
            check_key(key, f"{source}: ")
            values[key] = convert(value, kinds[key], f"{source}: {key}", scales=key.endswith("_lengths"))
        values.setdefault("name", f"{path.resolve().parent.name}/{path.stem}")
    apply_overrides(values, given)
    return TrainingConfig.from_dict(values, source if not given else "")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file.") from None


# ------------------------------------------------------------------------------------- command-line words


def parse_overrides(words: Iterable[str]) -> dict[str, list[str]]:
    """`["--a", "1", "--b.c=2"]` -> `{"a": ["1"], "b.c": ["2"]}`; dashes inside keys count as underscores."""
    given: dict[str, list[str]] = {}
    key = None
    for word in words:
        if word.startswith("--") and len(word) > 2:
            key, equals, value = word[2:].partition("=")
            key = key.replace("-", "_")
            if key in given:
                raise ValueError(f"--{key} is given twice.")
            check_key(key.split(".")[0])
            given[key] = [value] if equals else []
        elif key is None:
            raise ValueError(f"Unexpected argument {word!r}: settings are given as --key value.")
        else:
            given[key].append(word)
    return given


def apply_overrides(values: dict[str, Any], given: Mapping[str, list[str]]) -> None:
    """Writes parsed overrides into `values`, in place; a dotted key sets one option inside a dict setting."""
    kinds = get_type_hints(TrainingConfig)
    for key, words in given.items():
        top, *inner = key.split(".")
        scales = top.endswith("_lengths")
        if not words and kinds[top] is bool and not inner:
            words = ["true"]
        if not words:
            if not scales:
                raise ValueError(f"--{key} needs a value.")
            value: Any = []
        elif scales:
            value = [part for word in words for part in _as_list(parse_yaml(word, f"--{key}"))]
        elif inner:
            parsed = [parse_yaml(word, f"--{key}") for word in words]
            value = parsed[0] if len(parsed) == 1 else parsed
        elif len(words) > 1:
            raise ValueError(f"--{key} takes one value, got {' '.join(words)!r}.")
        else:
            text = words[0]
            value = text if kinds[top] in (str, str | None) else parse_yaml(text, f"--{key}")
        if inner:
            if not is_mapping(kinds[top]):
                raise ValueError(f"--{key}: {top} has no options of its own.")
            value = _set_inside(dict(values.get(top) or {}), inner, value, key)
        values[top] = convert(value, kinds[top], f"--{top}", scales=scales)


def _set_inside(options: dict, path: list[str], value: Any, key: str) -> dict:
    head, *rest = path
    if not head:
        raise ValueError(f"--{key}: an option's name is missing.")
    if not rest:
        return options | {head: value}
    inner = options.get(head, {})
    if not isinstance(inner, dict):
        raise ValueError(f"--{key}: {head} is not a mapping.")
    return options | {head: _set_inside(dict(inner), rest, value, key)}


def _as_list(value: Any) -> list:
    return list(value) if isinstance(value, list) else [value]
