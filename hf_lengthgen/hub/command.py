"""The commands `lengthgen push | verify | demo`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..leftover import nothing_more


def add_parsers(commands: Any) -> None:
    """Adds the parsers of this module to argparse's `commands`; each sets `run`(chosen, rest, command)."""
    push = commands.add_parser(
        "push",
        help="publish a trained model or an exported data set on the Hub",
        description="Publishes a model (output_dir of a run) or a data set (`lengthgen data export`) on the Hub.\n"
        "A model is put together with code, recipe, results, curve and card, checked in a process of its own\n"
        "(it loads without this package, and reproduces its recorded exact match), and sent in one commit.",
        epilog="Log in with `hf auth login`, or set HF_TOKEN. A push that broke off goes on when given again.",
    )
    push.add_argument("source", metavar="FOLDER", help="output_dir of a run, its model/, or an exported data set")
    push.add_argument("repo_id", metavar="OWNER/NAME", help="the repository; made if it is not there")
    seen = push.add_mutually_exclusive_group()
    seen.add_argument("--private", action="store_true", help="only you see it; an error if it is public already")
    seen.add_argument("--public", action="store_true", help="everybody sees it; an error if it is private already")
    push.add_argument("--revision", metavar="BRANCH", help="the branch (default: main); made if it is not there")
    push.add_argument("--to_folder", metavar="FOLDER", help="dry run: write and check the folder, send nothing")
    push.add_argument("--license", help="licence of a model, as the Hub spells it (default: apache-2.0)")
    push.add_argument("--dataset", metavar="OWNER/NAME", help="data set that .eval_results refers to")
    push.add_argument(
        "--compare", nargs="+", default=[], metavar="PATH", help="result files for the card: the controls"
    )
    push.add_argument("--message", help="of the commit")
    push.add_argument("--no_check", action="store_true", help="leave out the clean process")
    push.set_defaults(run=run_push)

    verify = commands.add_parser(
        "verify",
        help="compare a model's code with this package before running it",
        description="Compares the digest of every code file with this package and its releases, and refuses pickles,\n"
        "lying safetensors headers, and code from elsewhere; nothing of the model is imported.",
    )
    verify.add_argument("place", metavar="PLACE", help="OWNER/NAME, OWNER/NAME@REVISION, or a folder")
    verify.set_defaults(run=run_verify)

    demo = commands.add_parser(
        "demo",
        help="try trained models in the browser (needs gradio)",
        description="Starts the demonstration of space/ on this machine: type an addition, see the answer and what\n"
        "the model read for each digit. Needs gradio (pip install gradio).",
    )
    demo.add_argument("models", nargs="*", metavar="FOLDER", help="models, or folders of models (default: model_cards)")
    demo.add_argument("--port", type=int, default=7860, help="default: 7860")
    demo.set_defaults(run=run_demo)


def run_push(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    nothing_more(rest)
    from ..evaluation.report import load_results
    from .publish import push, push_dataset

    private = True if chosen.private else False if chosen.public else None
    options = {"private": private, "revision": chosen.revision, "message": chosen.message}
    source = Path(chosen.source)
    if not source.is_dir():
        raise FileNotFoundError(f"There is no folder {chosen.source!r}.")
    if any(source.glob("data/*.parquet")):
        model_only = ("to_folder", "license", "dataset", "compare", "no_check")
        given = [name for name in model_only if getattr(chosen, name)]
        if given:
            raise ValueError(f"--{given[0]} is for models; {chosen.source} is a data set.")
        done: Any = push_dataset(source, chosen.repo_id, **options)
    else:
        done = push(
            source,
            chosen.repo_id,
            to_folder=chosen.to_folder,
            license=chosen.license or "apache-2.0",
            dataset_id=chosen.dataset,
            comparison=load_results(chosen.compare) if chosen.compare else (),
            checks=not chosen.no_check,
            **options,
        )
    if isinstance(done, Path):
        print(f"{done}: {'not checked' if chosen.no_check else 'checked'}; nothing was sent.")
        return
    if done.checked is not None:
        print(f"The model {done.checked}.")
    print(f"{done.url}: {done.files} files, commit {done.commit}")


def run_verify(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    nothing_more(rest)
    from .verification import verify

    found = verify(chosen.place)
    code = {None: "no code", "installed": "the code of this package"}.get(found.release, f"release {found.release}")
    commit = f"commit {found.revision}, " if found.revision else ""
    print(f"{chosen.place}: verified ({commit}{found.files} files, {code}).")


def run_demo(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    nothing_more(rest)
    from .demo import launch

    launch(chosen.models, port=chosen.port)
