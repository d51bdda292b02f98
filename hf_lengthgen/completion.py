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
    lines = ["autoload -U +X bashcompinit && bashcompinit"] if shell == "zsh" else []
    lines += ["_lengthgen() {", *_FIND_WORDS]
    lines += ['  case "$before" in']
    lines += [f"    {option}) words={shlex.quote(' '.join(names))} ;;" for option, names in values.items()]
    lines += ['    *) case "${COMP_WORDS[at]}" in']
    lines += [f"      {name}) words={shlex.quote(' '.join(words))} ;;" for name, words in commands.items()]
    lines += ["    esac ;;", "  esac"]
    lines += [f'  [ "$COMP_CWORD" = "$at" ] && words={shlex.quote(" ".join([*_options(parser), *commands]))}']
    lines += ['  COMPREPLY=($(compgen -W "$words" -- "$word"))', "}", "complete -o default -F _lengthgen lengthgen"]
    return "\n".join(lines) + "\n"


# The word being typed, the one before, and the place of the command: behind any `--import MODULE`, which bash cuts
# into three words where it is written with a "=".
_FIND_WORDS = (
    '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words="" at=1',
    '  while [ "$at" -lt "$COMP_CWORD" ]; do',
    '    case "${COMP_WORDS[at]}" in',
    '      --import) at=$((at + 2)); [ "${COMP_WORDS[at-1]}" = "=" ] && at=$((at + 1)) ;;',
    "      --import=*) at=$((at + 1)) ;;",
    "      *) break ;;",
    "    esac",
    "  done",
)


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """The long options of a parser."""
    return [option for action in parser._actions for option in action.option_strings if option.startswith("--")]


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, list[str]]]:
    """Every command with the words that may follow it."""
    from .compare.grid import packaged_grids
    from .tasks import list_tasks
    from .training.arguments import setting_names

    names = dict.fromkeys(("tasks", "data", "src"), list_tasks())
    names |= {"train": [f"--{name}" for name in setting_names()], "compare": sorted(packaged_grids())}
    (subparsers,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in subparsers.choices.items():
        chosen = [word for action in command._actions if not action.option_strings for word in action.choices or ()]
        yield name, [*_options(command), *chosen, *names.get(name, ())]


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
