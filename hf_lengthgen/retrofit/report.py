"""The tables of docs/retrofit.md, from the result files of `lengthgen train --base_model` and `retrofit.knowledge`.

python -m hf_lengthgen.retrofit.report results/smollm2 --write_into docs/retrofit.md
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from ..exit_code import exit_code

TABLES = ("retrofit", "retrofit_knowledge")


def load(folder: Path) -> dict[Path, dict[str, Any]]:
    """The result files of a folder.

    Raises:
        FileNotFoundError: there are none; ValueError: a file that is none.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(result, dict) or not {"exact_match", "perplexity"} & result.keys():
            raise ValueError(f"{path} is no result of lengthgen train --base_model or of retrofit.knowledge.")
        found[path] = result
    if not found:
        raise FileNotFoundError(f"There are no result files (*.json) in {str(folder)!r}.")
    return found


def arm(result: dict[str, Any]) -> tuple[int, str]:
    """Where a run stands in the table, and what it is called."""
    s = result["settings"]
    continued = "--start_from" in shlex.split(result["command"])
    if not s["additions"]:
        if not s["lora_rank"]:
            return (0, "base alone") if not s["steps"] else (1, "all weights")
        return (3, "LoRA + hint as text") if s.get("hint_text") else (2, "LoRA")
    name = "LBPE + hint"
    if s["lora_rank"]:
        return (5, f"LoRA + {name}, additions first") if continued else (4, f"LoRA + {name}, together")
    reads = s["retrofit"].get("reads", "all")
    first = "additions only" + ("" if reads == "first" or continued else f', reads="{reads}"')
    return (8, f"{first}, greater lengths") if continued and not s["steps"] else (6 + (reads != "first"), first)


def exact_match_table(results: dict[Path, dict[str, Any]], page: Path) -> str:
    """One row a run: link, seed, examples seen, minutes of one core, exact match in % at every length."""
    runs = {path: r for path, r in results.items() if "exact_match" in r}
    lengths = sorted({int(n) for r in runs.values() for n in r["exact_match"]})
    head = ["", "seed", "examples", "minutes", *map(str, lengths)]
    lines = [_row(head), _row(["---"] + ["---:"] * (len(head) - 1))]
    for path, r in sorted(runs.items(), key=lambda item: (arm(item[1])[0], item[1]["settings"]["seed"])):
        s, scores = r["settings"], r["exact_match"]
        minutes = r.get("training_cpu_seconds", r["training_seconds"]) / 60
        cells = [_link(arm(r)[1], path, page), str(s["seed"]), f"{s['steps'] * s['batch_size']:,}", f"{minutes:.0f}"]
        cells += [_percent(scores[str(n)]) if str(n) in scores else "–" for n in lengths]
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def knowledge_table(results: dict[Path, dict[str, Any]], page: Path) -> str:
    """One row a model: perplexity before and after, most likely tokens and texts that are the base's."""
    head = ["", "perplexity before", "after", "same token, %", "same texts of 20"]
    lines = [_row(head), _row(["---"] + ["---:"] * 4)]
    for path, r in results.items():
        if "perplexity" in r:
            name = r["note"] or r["model"]
            name += f', `scale_hint="{r["scale_hint"]}"`' if r["scale_hint"] else ""
            both = [f"{r['perplexity'][when]:.2f}" for when in ("before", "after")]
            cells = [_link(name, path, page), *both, _percent(r["same_most_likely_token"]), str(r["same_texts"])]
            lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _link(name: str, path: Path, page: Path) -> str:
    return f"[{name}]({Path(os.path.relpath(path, page.parent)).as_posix()})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0")


def run(arguments: list[str]) -> None:
    """The command."""
    from ..evaluation.report import replace_table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("results", metavar="FOLDER", help="of result files")
    parser.add_argument("--write_into", metavar="FILE", help="replace the tables in this page instead of printing them")
    chosen = parser.parse_args(arguments)
    results, page = load(Path(chosen.results)), Path(chosen.write_into or "page.md")
    tables = [exact_match_table(results, page), knowledge_table(results, page)]
    for name, table in zip(TABLES, tables, strict=True):
        if chosen.write_into:
            replace_table(page, name, table)
        else:
            print(table)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 2 for bad input, told in one line."""
    return exit_code(lambda: run(sys.argv[1:] if arguments is None else arguments))


if __name__ == "__main__":
    sys.exit(main())
