"""What the demonstration computes: an answer, whether it is right, and what the model read for each of its tokens.

Nothing here needs gradio; `demo.py` puts it into a page.
"""

from __future__ import annotations

import contextlib
import html
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..evaluation.labels import variant_name
from ..evaluation.result import Result
from ..tasks.formats import NumberFormat
from .words import in_words

LONGEST = 2000  # characters of a prompt: about ten seconds on one core
LONGEST_DRAWN = 1500  # tokens: what is read comes from a table of tokens × tokens
ROWS = 40  # answer tokens drawn at once
WIDEST = 130  # tokens of a row that is drawn whole
_SUM = re.compile(r"\s*(\d[\d\s_,]*)\+\s*(\d[\d\s_,]*)=?\s*")


@dataclass(frozen=True)
class Answer:
    """One question answered.

    Attributes:
        prompt: as the model read it.
        written: what it wrote, without `<eos>`.
        expected: the task's own answer.
        ended: whether the model wrote `<eos>` behind it.
        sum_written, sum_expected: additions only: the model's and Python's sum, as people write it.
        seconds: of generation.
        ids: all tokens, `<bos>` first.
        prompt_tokens: how many of them are `<bos>` and prompt.
    """

    prompt: str
    written: str
    expected: str
    ended: bool
    sum_written: str | None
    sum_expected: str | None
    seconds: float
    ids: tuple[int, ...]
    prompt_tokens: int

    @property
    def right(self) -> bool:
        """Written as Python and the task would, and ended there."""
        return self.ended and self.written == self.expected and self.sum_written == self.sum_expected


def find_models(places: Iterable[str | Path]) -> dict[str, Path]:
    """Label -> folder of every model with a result file in the places, which are models or folders of models.

    A label ends with the folder's name, or with its path where two models would share the label.

    Raises:
        ValueError: there is none.
    """
    places = [Path(place) for place in places]
    found = [
        folder
        for place in places
        for folder in [place, place / "model", *sorted(path for path in place.glob("*") if path.is_dir())]
        if (folder / "config.json").is_file() and (folder / "result.json").is_file()
    ]
    folders = list({folder.resolve(): folder for folder in reversed(found)}.values())[::-1]  # each once
    if not folders:
        names = ", ".join(map(str, places)) or "(no place given)"
        raise ValueError(f"there is no model with a result.json in {names}; give the folder of one.")
    labels = [_label(folder) for folder in folders]
    return {
        label if labels.count(label) == 1 else _label(folder, whole=True): folder
        for label, folder in zip(labels, folders, strict=True)
    }


def _label(folder: Path, whole: bool = False) -> str:
    """Task, embedding, and the name of the model's folder (of the run's, where that is called model) or its path."""
    result = Result.load(folder / "result.json")
    own = folder.resolve()
    own = own.parent if own.name == "model" else own
    named = own if whole else own.name
    return f"{result.task}: {variant_name(result.position_embedding, result.scale_hint)} ({named})"


class Model:
    """A trained model to ask.

    Args:
        folder: with config.json, weights, tokenizer and result.json; its code is not run, this package's is.

    Raises:
        ValueError: a folder that is incomplete or damaged; VerifyError: one with files that could run code.
    """

    def __init__(self, folder: Path) -> None:
        from ..tasks import get_task
        from .loading import load_folder

        self.folder = Path(folder)
        self.result = Result.load(self.folder / "result.json")
        self.task = get_task(self.result.task, **self.result.task_options)
        model, self.tokenizer = load_folder(self.folder)
        self.model = model.to("cpu")

    def example(self) -> str:
        """A question of twice the training length: what `ask` takes."""
        import numpy as np

        prompt = self.task.sample(2 * self.result.n_max, 1, np.random.default_rng(0)).prompt_strings()[0]
        if not self.takes_sums:
            return prompt
        one, other = prompt.rstrip("=").split("+")
        return f"{one[::-1]}+{other[::-1]}"

    @property
    def takes_sums(self) -> bool:
        """Whether questions are asked as people write them, "123+45": `_prompt` and `_people` know one format."""
        task = self.task
        return task.name == "addition" and task.format == NumberFormat() and task.options["padding"] == "equal"

    def ask(self, text: str) -> Answer:
        """Answers an addition as people write it, "123+45" (see `takes_sums`), or a prompt of the model's task.

        Raises:
            ValueError: text that is no such question, or a question that is too long for a demonstration.
        """
        import torch

        operands = _SUM.fullmatch(text) if self.takes_sums else None
        prompt = text.strip() if operands is None else self._prompt(*map(_digits, operands.groups()))
        if len(prompt) > LONGEST:
            raise ValueError(f"the prompt has {len(prompt)} characters; this demonstration takes {LONGEST}.")
        expected = self.task.answer(prompt)  # ValueError where it is no prompt of the task
        inputs = self.tokenizer(prompt, return_tensors="pt")
        if self.model.config.scale_hint == "input":
            inputs["scale_hint"] = torch.tensor([self.task.scale_of(prompt)])
        start = time.perf_counter()
        with torch.inference_mode():
            row = self.model.generate(**inputs, max_new_tokens=len(expected) + 2, do_sample=False)[0].tolist()
        seconds = time.perf_counter() - start
        first, end = inputs["input_ids"].shape[1], self.tokenizer.eos_token_id
        ended = end in row[first:]
        if ended:
            row = row[: row.index(end, first)]
        written = self.tokenizer.decode(row[first:])
        sums: tuple[str | None, str | None] = (None, None)
        if operands is not None:
            sums = _people(written), python_sum(*map(_digits, operands.groups()))
        return Answer(prompt, written, expected, ended, *sums, seconds, tuple(row), first)

    def _prompt(self, a: str, b: str) -> str:
        """Two numbers in the task's usual format: least significant digit first, padded to equal length."""
        if self.task.options.get("widths") == "equal":
            a, b = a.zfill(len(b)), b.zfill(len(a))
        return f"{a[::-1]}+{b[::-1]}="

    def reads(self, answer: Answer, layer: int | None = None) -> list[list[float]]:
        """How much each token of the answer reads of each token before it: per answer token a list of weights over
        the tokens from `<bos>` on, the mean over heads, and over layers or in one of them.

        Weights add up to 1, or to less where heads may read nothing (LBPE).

        Raises:
            ValueError: more than LONGEST_DRAWN tokens, or a layer that does not exist.
        """
        import torch

        depth = self.model.config.num_hidden_layers
        if layer is not None and not 0 <= layer < depth:
            raise ValueError(f"layer must be one of 0 to {depth - 1}, got {layer}.")
        if len(answer.ids) > LONGEST_DRAWN:
            raise ValueError(f"what is read is drawn up to {LONGEST_DRAWN} tokens; this are {len(answer.ids)}.")
        with torch.inference_mode(), _eager(self.model):
            options: dict[str, Any] = {}
            if self.model.config.scale_hint == "input":
                options["scale_hint"] = torch.tensor([self.task.scale_of(answer.prompt)])
            ids = torch.tensor([answer.ids])
            layers = self.model(input_ids=ids, use_cache=False, output_attentions=True, **options).attentions
        mean = torch.stack(layers).mean(dim=2)[:, 0]  # layers, queries, keys
        chosen = mean.mean(dim=0) if layer is None else mean[layer]
        # The token at p was written from what the query at p - 1 read.
        return [chosen[p - 1, :p].tolist() for p in range(answer.prompt_tokens, len(answer.ids))]

    def verdict_html(self, answer: Answer) -> str:
        """The answer beside Python's, and whether it is right."""
        shown, wanted = answer.written, answer.expected
        if answer.sum_expected is not None:
            shown, wanted = answer.sum_written or "(nothing)", answer.sum_expected
        sign, colour = ("✓ right", "#1a7f37") if answer.right else ("✗ wrong", "#c62828")
        lines = [
            f"<p style='font-size:1.2em;color:{colour}'><b>{sign}</b> — {len(answer.prompt)} characters of prompt, "
            f"{len(answer.written)} written in {answer.seconds:.1f} s</p>",
            _mono("the model ", shown),
            _mono("Python    " if answer.sum_expected is not None else "the task  ", wanted),
        ]
        if answer.written.startswith(answer.expected) and len(answer.written) > len(answer.expected):
            lines.append("<p>The answer should have ended there: the model went on writing.</p>")
        return "".join(lines)

    def reads_html(self, answer: Answer, layer: int | None = None, first: int = 0) -> str:
        """A row per token of the answer: everything before it, darker where it was read; of long ones, only what lies
        around the places that were read."""
        try:
            weights = self.reads(answer, layer)
        except ValueError as problem:
            return f"<p>{html.escape(str(problem))}</p>"
        tokens = ["▸", *answer.prompt, *answer.written]
        rows = []
        for number, row in list(enumerate(weights))[first : first + ROWS]:
            written = html.escape(tokens[len(row)])
            rows.append(f"<div>{number:>4} {_cells(tokens, row)}<b style='color:#d55e00'> → {written}</b></div>")
        style = "font-family:monospace;white-space:pre;overflow-x:auto;line-height:1.5;font-size:14px"
        return f"<div style='{style}'>{''.join(rows)}</div>"

    def relations_html(self) -> str:
        """The relations that are open, in words; '' for an embedding without."""
        seen = dict.fromkeys(t for layer in self.result.relations or [] for head in layer for t, _ in head)
        items = "".join(f"<li><code>{html.escape(t)}</code>: {html.escape(in_words(t))}</li>" for t in seen)
        return f"<p>Attention reads, somewhere in the model:</p><ul>{items}</ul>" if items else ""

    def curve_html(self) -> str:
        """The accuracy-versus-length curve of the result file, as SVG."""
        import tempfile

        from ..evaluation.plot import plot_curves

        if not self.result.lengths:
            return ""
        with tempfile.TemporaryDirectory() as place:
            text = plot_curves([self.result], Path(place) / "curve.svg").read_text(encoding="utf-8")
        drawing = text[text.index("<svg") :].replace("<svg", "<svg style='width:100%;height:auto'", 1)
        return f"<div style='background:#fff;max-width:760px'>{drawing}</div>"


def _cells(tokens: list[str], weights: list[float]) -> str:
    """Tokens as HTML, darker the more they were read: weights has one entry for each token that may be read."""
    largest = max(weights) or 1.0
    shown = range(len(weights))
    if len(weights) > WIDEST:
        read = [place for place, weight in enumerate(weights) if weight > 0.02 * largest]
        ends = (0, len(weights) - 1)
        shown = sorted({k for place in (*read, *ends) for k in range(place - 3, place + 4) if 0 <= k < len(weights)})
    cells, last = [], -1
    for place in shown:
        if place != last + 1:
            cells.append("<i style='color:#999'>⋯</i>")
        last, weight = place, weights[place]
        style = f"background:rgba(0,114,178,{weight / largest:.2f})" + ";color:#fff" * (weight > 0.6 * largest)
        cells.append(f"<span title='token {place}: {weight:.0%}' style='{style}'>{html.escape(tokens[place])}</span>")
    return "".join(cells)


def python_sum(a: str, b: str) -> str:
    """a + b by Python's integers, however long."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return str(int(a) + int(b))
    finally:
        sys.set_int_max_str_digits(limit)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _people(written: str) -> str:
    """Digits, least significant first -> a number as people write it."""
    return written[::-1].lstrip("0") or ("0" if written else "")


def _mono(name: str, text: str) -> str:
    style = "font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere;margin:2px 0"
    return f"<p style='{style}'>{html.escape(name)}{html.escape(text)}</p>"


@contextlib.contextmanager
def _eager(model: Any) -> Iterator[None]:
    """Inside, the model gives its attention as one table per head, which can be looked at; the same numbers."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
