"""The packaged YAML files: each one loads, builds, and is comparable with its neighbours."""

from pathlib import Path

import pytest
import yaml

from hf_lengthgen.training.arguments import list_configs, load_training_config
from hf_lengthgen.training.build import assemble_model
from hf_lengthgen.training.mixture import build_parts
from hf_lengthgen.training.scores import planned

ADDITION = ["lbpe", "lbpe_no_hint", "rope", "alibi", "t5", "none", "learned", "sinusoidal", "ipe"]


def test_none_is_missing():
    others = ["addition_unequal", "copy", "reverse", "shift", "parity", "parity_no_cot"]
    assert set(list_configs()) >= {f"addition/{pe}" for pe in ADDITION} | {f"{task}/lbpe" for task in others}


@pytest.mark.parametrize("name", list_configs())
def test_builds(name):
    config = load_training_config(name)
    parts, tokenizer = build_parts(config)
    model = assemble_model(config, parts, tokenizer)
    assert all(planned(config, part.task) for part in parts)
    assert (model.open_gates() is not None) == (config.position_embedding == "lbpe")


def test_addition_differs_in_the_embedding_only():
    # `settle` is about gates, which LBPE alone has.
    free = {"name", "position_embedding", "position_options", "scale_hint", "long_lengths", "settle"}
    settings = [
        {key: value for key, value in load_training_config(f"addition/{pe}").to_dict().items() if key not in free}
        for pe in ADDITION
    ]
    assert all(other == settings[0] for other in settings)


def test_the_ideal_embedding_has_the_tasks_relations():
    config = load_training_config("addition/ipe")
    assert tuple(config.position_options["relations"]) == build_parts(config)[0][0].task.ideal_relations


def test_accelerate_reads_its_configs():
    from accelerate.commands.config.config_args import load_config_from_file

    folder = Path(__file__).parents[2] / "recipes" / "accelerate_configs"
    processes = {path.stem: load_config_from_file(str(path)).num_processes for path in folder.glob("*.yaml")}
    assert processes == {"cpu": 1, "single_gpu": 1, "ddp": 2, "fsdp2": 2}
    assert yaml.safe_load((folder / "cpu.yaml").read_text())["use_cpu"] is True
