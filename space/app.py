"""The Space: the page of hf_lengthgen.hub.demo over the models in the folder model_cards beside this file."""

from pathlib import Path

from hf_lengthgen.hub.demo import build

page = build([Path(__file__).with_name("model_cards")])

if __name__ == "__main__":
    page.launch()
