"""Tasks as people read them: `lengthgen tasks show NAME`, and docs/tasks.md, which is rendered from the code."""

from __future__ import annotations

import inspect

import numpy as np

from .evaluation.table import columns
from .tasks import Task, get_task, list_tasks
from .tasks.task import Scale

_LINES = 40  # of the table of reads: longer answers are cut


def show(task: Task, n: Scale, count: int, seed: int) -> str:
    """What a task is, `count` examples of scale `n`, and how to read the first of them."""
    samples = task.sample(n, count, np.random.default_rng(seed))
    pairs = list(zip(samples.prompt_strings(), samples.answer_strings(), strict=True))
    lines = [task.describe(), f"  SRC: {task.src_verdict}"]
    if pairs:
        hint = tuple(samples.scales[0].tolist())
        lines += [*_steps(task, pairs[0][1]), *_reads_text(task, *pairs[0], hint)]
        lines += ["", f"examples, n = {_joined(task.expand(n), 'x')}, scale hint {_joined(hint, ', ')}:"]
    return "\n".join([*lines, *(f"  {prompt} -> {answer}" for prompt, answer in pairs)])


def reads(task: Task, prompt: str, answer: str, hint: tuple[int, ...]) -> np.ndarray:
    """Which token each ideal relation reads, per token to be predicted: int64 (answer and <eos>, relations).

    Token 0 is <bos>; row k belongs to the query at token len(prompt) + k, which predicts the next one. -1: the
    relation holds for no token.
    """
    from .model.relation import LinearRelation

    relations = [LinearRelation.parse(text, task.hints) for text in task.ideal_relations]
    ends = [1 + prompt.index(end) for _, end in task.scale_rule]
    starts = [0 if start is None else 1 + prompt.index(start) for start, _ in task.scale_rule]
    queries = range(len(prompt), len(prompt) + len(answer) + 1)
    keys = np.full((len(queries), len(relations)), -1)
    for row, query in enumerate(queries):
        for column, relation in enumerate(relations):
            if relation.segment is None:
                key = relation.key(query, hint)
            else:
                start, end = starts[relation.segment], ends[relation.segment]
                offset = query - max(mark for mark in (0, *ends) if mark <= query)
                key = start + offset - relation.d
                key = key if start < key < end else None
            if key is not None:
                keys[row, column] = key
    return keys


def _reads_text(task: Task, prompt: str, answer: str, hint: tuple[int, ...]) -> list[str]:
    if not task.ideal_relations:
        return []
    tokens = ["<bos>", *prompt, *answer, "<eos>"]
    roles = ["", *task.roles(prompt, answer), ""] if hasattr(task, "roles") else None
    rows = [["token", "next", *(["role"] if roles else []), *task.ideal_relations]]
    for query, keys in enumerate(reads(task, prompt, answer, hint)[:_LINES].tolist(), start=len(prompt)):
        role = [roles[query + 1]] if roles else []
        cells = ["-" if key < 0 else f"{tokens[key]} at {key}" for key in keys]
        rows.append([f"{tokens[query]} at {query}", tokens[query + 1], *role, *cells])
    table = ["  " + line for line in columns(rows).splitlines()]
    left = len(answer) + 1 - _LINES
    more = [f"  ... and {left} tokens more"] if left > 0 else []
    return [
        "",
        "what the ideal relations read in the first example, token after token (<bos> is token 0):",
        *table,
        *more,
    ]


def _steps(task: Task, answer: str) -> list[str]:
    """The chain of thought of an answer."""
    steps = task.steps(answer) if hasattr(task, "steps") else []
    lines = [
        f"  {k}. " + ", ".join(f"{name} {value}" for name, value in step.items()) for k, step in enumerate(steps, 1)
    ]
    if lines:
        lines = ["", "steps of the first example:", *lines[:_LINES]]
    if task.final_separator is not None:
        lines += ["", f"final answer of the first example: {task.final(answer)}"]
    return lines


def _joined(numbers: tuple[int, ...], between: str) -> str:
    return between.join(map(str, numbers))


# ---- docs/tasks.md


def markdown() -> str:
    """docs/tasks.md: every built-in task with one example, its scale, format, relations and SRC verdict."""
    tasks = [task for task in map(get_task, list_tasks()) if type(task).__module__.startswith(f"{__package__}.")]
    index = [
        f"| [{task.name}](#{task.name}) | {_cell(_first_line(task))} | {task.src_verdict.partition(':')[0]} |"
        for task in tasks
    ]
    return "\n".join(
        [
            "<!-- Rendered by `lengthgen tasks --markdown > docs/tasks.md`: change the code, not this file. -->",
            "",
            "# Tasks",
            "",
            f"{len(tasks)} tasks, each with its default options. SRC: whether the number of operators that suffice,",
            "relative to reads at fixed relations of positions, stays constant with the scale.",
            "`lengthgen tasks show NAME` draws more examples and shows what each relation reads; "
            "[add_a_task.md](add_a_task.md) adds a task.",
            "",
            "| task | what it asks | SRC |",
            "| --- | --- | --- |",
            *index,
            "",
            *(line for task in tasks for line in _section(task)),
        ]
    )


def _section(task: Task) -> list[str]:
    sample = task._example()
    prompt, answer = sample.prompt_strings()[0], sample.answer_strings()[0]
    scale = [
        f"{count} characters {'before' if start is None else f'between `{start}` and'} `{end}`"
        for count, (start, end) in zip(sample.scales[0].tolist(), task.scale_rule, strict=True)
    ]
    options = ", ".join(f"`{name}={value!r}`" for name, value in task.options.items())
    relations = ", ".join(f"`{relation}`" for relation in task.ideal_relations)
    ends = ", ".join(f"`{end}`" for end in task.delimiters)
    cot = f"; the final answer follows the last `{task.final_separator}`" if task.final_separator else ""
    return [
        f"## {task.name}",
        "",
        "```text",
        inspect.getdoc(type(task)),
        "```",
        "",
        f"- example: `{prompt}` → `{answer}`",
        f"- scale: {', '.join(scale)}",
        f"- format: fields of a prompt end with {ends}; characters `{task.vocabulary}`{cot}",
        f"- options: {options}",
        f"- relations: {relations or 'no finite set known'}",
        f"- SRC: {task.src_verdict}",
        "",
    ]


def _first_line(task: Task) -> str:
    return inspect.getdoc(type(task)).splitlines()[0]


def _cell(text: str) -> str:
    """Text in a Markdown table: nothing in it is markup."""
    for character in "\\`*_[]<|":
        text = text.replace(character, "\\" + character)
    return text
