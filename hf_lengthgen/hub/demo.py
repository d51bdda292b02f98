"""The page of the demonstration, made with gradio: for `lengthgen demo` and for the Space in space/."""

from __future__ import annotations

import html
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from .demo_logic import ROWS, Model, find_models

TITLE = "Trained on short instances: how far does it go?"
ABOUT = (
    "Small transformers trained on short instances only. Type an addition of up to about 1,000 digits, such as "
    "`987654321+123456789` (or, for another task or format, a prompt of it). Below the answer, each row is one written "
    "token: blue is what the model read to write it."
)


def launch(places: Iterable[str | Path] = (), port: int = 7860) -> None:
    """Serve the page on this machine until interrupted.

    Args:
        places: models or folders of models; none: the folder model_cards here.
        port: of http://127.0.0.1.

    Raises:
        ValueError: gradio is not installed, or there is no model in the places.
        OSError: the port is taken.
    """
    build(places).launch(server_name="127.0.0.1", server_port=port)


def build(places: Iterable[str | Path] = ()) -> Any:
    """The page as `gradio.Blocks`. Raises ValueError as `launch` does."""
    models = find_models(list(places) or ["model_cards"])
    gr = _gradio()
    first = next(iter(models))

    @cache
    def loaded(label: str) -> Model:
        return Model(models[label])

    def choose(label: str) -> tuple[Any, ...]:
        model = loaded(label)
        layers = ["all layers", *(f"layer {k}" for k in range(model.model.config.num_hidden_layers))]
        facts = model.curve_html(), model.relations_html()
        return model.example(), gr.update(choices=layers, value=layers[0]), *facts, "", "", None

    def solve(label: str, text: str) -> tuple[Any, ...]:
        model = loaded(label)
        try:
            answer = model.ask(text)
        except ValueError as problem:
            return f"<p style='color:#c62828'>{html.escape(str(problem))}</p>", gr.update(visible=False), None
        last = max(0, len(answer.written) - ROWS)
        return model.verdict_html(answer), gr.update(maximum=max(1, last), value=0, visible=last > 0), answer

    def draw(label: str, answer: Any, layer: str, start: float) -> str:
        if answer is None:
            return ""
        return loaded(label).reads_html(answer, _layer(layer), int(start))

    with gr.Blocks(title=TITLE) as page:
        gr.Markdown(f"# {TITLE}\n\n{ABOUT}")
        answer = gr.State()
        with gr.Row():
            label = gr.Dropdown(list(models), value=first, label="Model", scale=2)
            text = gr.Textbox(label="Addition, or prompt", scale=3, max_lines=6)
            button = gr.Button("Answer", variant="primary", min_width=100)
        verdict = gr.HTML()
        with gr.Row():
            layer = gr.Dropdown(["all layers"], value="all layers", label="Reads shown of")
            start = gr.Slider(0, 1, value=0, step=1, label="First token shown", visible=False)
        reads = gr.HTML()
        with gr.Row():
            curve, relations = gr.HTML(), gr.HTML()
        shown = [verdict, start, answer]
        drawn = {"fn": draw, "inputs": [label, answer, layer, start], "outputs": reads}
        for event in (button.click, text.submit):
            event(solve, [label, text], shown).then(**drawn)
        for control in (layer, start):
            control.change(**drawn)
        for event in (page.load, label.change):
            event(choose, label, [text, layer, curve, relations, verdict, reads, answer])
    return page


def _layer(text: str) -> int | None:
    return None if text == "all layers" else int(text.removeprefix("layer "))


def _gradio() -> Any:
    try:
        import gradio
    except ImportError:
        raise ValueError("the demonstration needs gradio, which is not installed: pip install gradio") from None
    return gradio
