"""Completion of `lengthgen` in bash and zsh: a script made from the parser itself, so that it cannot lag behind."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

SHELLS = ("bash", "zsh")


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """What `eval "$(lengthgen completion bash)"` evaluates. ValueError for a shell other than SHELLS."""
    if shell not in SHELLS:
        raise ValueError(f"completion is made for {' and '.join(SHELLS)}, not for {shell!r}.")
    commands = dict(_commands(parser))
    values = _values()
    lines = ["_lengthgen() {", '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words=""']
    if shell == "zsh":
        lines.insert(0, "autoload -U +X bashcompinit && bashcompinit")
    lines += ['  case "$before" in']
    lines += [f"    {option}) words={shlex.quote(' '.join(names))} ;;" for option, names in values.items()]
    lines += ['    *) case "${COMP_WORDS[1]}" in']
    lines += [f"      {name}) words={shlex.quote(' '.join(words))} ;;" for name, words in commands.items()]
    lines += ["    esac ;;", "  esac", f'  [ "$COMP_CWORD" = 1 ] && words={shlex.quote(" ".join(commands))}']
    lines += ['  COMPREPLY=($(compgen -W "$words" -- "$word"))', "}", "complete -o default -F _lengthgen lengthgen"]
    return "\n".join(lines) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, list[str]]]:
    """Every command with the words that may follow it."""
    from .tasks import list_tasks
    from .training.arguments import setting_names

    settings = [f"--{name}" for name in setting_names()]
    (subparsers,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in subparsers.choices.items():
        words: list[str] = []
        for action in command._actions:
            words += [option for option in action.option_strings if option.startswith("--")] or action.choices or []
        yield (
            name,
            [*words, *(settings if name == "train" else []), *(list_tasks() if name in ("tasks", "data") else [])],
        )


def _values() -> dict[str, list[str]]:
    """Options whose values are names, and these."""
    from .model.position_registry import list_position_embeddings
    from .tasks import list_tasks
    from .training.arguments import SCALE_HINTS, TRACKERS, list_configs

    return {
        "--config": list_configs(),
        "--task": list_tasks(),
        "--position_embedding": list_position_embeddings(),
        "--scale_hint": list(SCALE_HINTS),
        "--tracker": list(TRACKERS),
    }
