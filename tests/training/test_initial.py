import shutil

import pytest
import torch

from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.training import saving
from hf_lengthgen.training.initial import CLOSED, OPEN, Inherited, load_initial, tell
from hf_lengthgen.training.loop import train
from hf_lengthgen.training.progress import History

from .tiny import assert_identical, build_model, build_task, tiny, weights


def fresh(config):
    task = build_task(config)
    tokenizer = build_tokenizer(task)
    return build_model(config), tokenizer


@pytest.fixture
def saved(tmp_path):
    """Saves the initial model of a config; gives it and its folder."""

    def save(harden=False, change=lambda model: None, **settings):
        config = tiny(seed=5, **settings)
        model, tokenizer = fresh(config)
        change(model)
        if harden:
            model.harden()
        saving.save_model(tmp_path / "old" / "model", model, tokenizer, config, History())
        return model, tokenizer, str(tmp_path / "old")

    return save


def test_all_weights_of_an_equal_model(saved):
    old, _, folder = saved(position_embedding="learned", scale_hint="none")
    new, tokenizer = fresh(tiny(position_embedding="learned", scale_hint="none"))
    inherited = load_initial(new, tokenizer, folder)
    assert inherited.fresh == []
    for name, parameter in new.named_parameters():
        assert torch.equal(parameter, dict(old.named_parameters())[name]), name


def test_tokens_keep_their_rows_in_another_vocabulary(saved):
    old, old_tokenizer, folder = saved(position_embedding="rope", scale_hint="none")
    config = tiny(task="addition", position_embedding="rope", scale_hint="none")
    new, tokenizer = fresh(config)
    tables = [(m.get_input_embeddings().weight, m.get_output_embeddings().weight) for m in (new, old)]
    before = [table.detach().clone() for table in tables[0]]
    inherited = load_initial(new, tokenizer, folder)
    assert inherited.fresh == []
    known, vocabulary = old_tokenizer.get_vocab(), tokenizer.get_vocab()
    assert {"=", "<bos>"} <= set(known) & set(vocabulary)
    assert "+" not in known
    for after, theirs, fresh_rows in zip(*tables, before, strict=True):
        for token, row in vocabulary.items():
            expected = theirs[known[token]] if token in known else fresh_rows[row]
            assert torch.equal(after[row], expected), token


def test_another_embedding_starts_fresh(saved):
    _, _, folder = saved(position_embedding="lbpe")
    new, tokenizer = fresh(tiny(position_embedding="t5"))
    inherited = load_initial(new, tokenizer, folder)
    positions = [name for name in inherited.fresh]
    assert positions and len(inherited.taken) == len(list(new.parameters())) - len(positions)
    assert all("position" in name for name in positions)


def test_relations_of_a_hardened_model_start_open(saved):
    def shut_all_but(model):
        with torch.no_grad():
            for module in model.modules():
                if getattr(module, "gate", None) is not None:
                    module.gate.fill_(-5.0)
                    module.gate[0, 3] = module.gate[1, 0] = module.gate[1, -1] = 5.0
                    module.weight[0, 3], module.weight[1, -1] = 0.7, -0.4

    old, _, folder = saved(harden=True, change=shut_all_but)
    new, tokenizer = fresh(tiny())
    inherited = load_initial(new, tokenizer, folder)
    assert inherited.fresh == []
    (layer,) = [module for module in new.modules() if getattr(module, "gate", None) is not None]
    gate = torch.full_like(layer.gate, CLOSED)
    gate[0, 3] = gate[1, 0] = gate[1, -1] = OPEN
    assert torch.equal(layer.gate, gate)
    weight = torch.zeros_like(layer.weight)
    weight[0, 3], weight[1, -1] = 0.7, -0.4
    assert torch.allclose(layer.weight, weight)
    assert any(text == "other" for text, _ in new.relations()[0][1])
    assert new.relations() and [[text for text, _ in head] for head in new.relations()[0]] == [
        [text for text, _ in head] for head in old.relations()[0]
    ]


def test_relations_start_fresh_where_a_hardened_model_has_another_number_of_heads(saved):
    """Whose relations a head should have is not said."""
    _, _, folder = saved(harden=True, num_attention_heads=2)
    new, tokenizer = fresh(tiny(num_attention_heads=4))
    before = weights(new)
    inherited = load_initial(new, tokenizer, folder)
    assert {name.rpartition(".")[2] for name in inherited.fresh} == {"gate", "weight"}
    assert all("position" in name and torch.equal(weights(new)[name], before[name]) for name in inherited.fresh)


def test_training_goes_on_from_there(saved, capsys):
    """Without a step worth mentioning the model is still the old one."""
    old, _, folder = saved(position_embedding="rope", scale_hint="none")
    settings = {"position_embedding": "rope", "scale_hint": "none", "learning_rate": 1e-9, "weight_decay": 0}
    trained = train(tiny(init_from=folder, **settings))
    named = dict(old.named_parameters())
    assert all(torch.allclose(p, named[name], atol=1e-6) for name, p in trained.model.named_parameters())
    assert f"start from {folder}; fresh: none." in capsys.readouterr().err


@pytest.mark.parametrize(("make", "said"), [(False, "There is no folder"), (True, "holds no model")])
def test_no_model_there(tmp_path, make, said):
    folder = tmp_path / "nothing"
    if make:
        folder.mkdir()
    model, tokenizer = fresh(tiny())
    with pytest.raises(ValueError, match=f"^init_from: .*{said}|^init_from: {said}"):
        load_initial(model, tokenizer, str(folder))


def test_nothing_fits(saved):
    _, _, folder = saved(position_embedding="rope", scale_hint="none")
    model, tokenizer = fresh(tiny(hidden_size=32, intermediate_size=40, position_embedding="rope", scale_hint="none"))
    with pytest.raises(ValueError, match=r"Nothing of .* fits: it has hidden_size 16, this model 32\."):
        load_initial(model, tokenizer, folder)


def test_gates_alone_are_no_fit(saved):
    """They have no width: a model of another one would start from them alone."""
    _, _, folder = saved(position_embedding="lbpe")
    model, tokenizer = fresh(tiny(hidden_size=32, intermediate_size=40))
    with pytest.raises(ValueError, match=r"Nothing of .* fits: it has hidden_size 16, this model 32\."):
        load_initial(model, tokenizer, folder)


def test_a_fine_tuning_goes_on_without_what_it_began_from(saved, tmp_path):
    _, _, folder = saved(position_embedding="lbpe")

    def leave(done, model):
        if done == 4:
            raise KeyboardInterrupt

    config = tiny(init_from=folder, output_dir=tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        train(config, progress=False, on_step=leave)
    whole = train(tiny(init_from=folder), progress=False)
    shutil.rmtree(folder)
    rest = train(config, progress=False)
    assert_identical(weights(rest.model), weights(whole.model))
    with pytest.raises(ValueError, match="^init_from: "):
        train(tiny(init_from=folder, output_dir=tmp_path / "out", resume=False), progress=False)


def test_few_names_are_told(capsys):
    tell(Inherited([], ["a", "b", "c", "d"]), "x")
    assert capsys.readouterr().err == "0 parameters start from x; fresh: a, b, c, ….\n"
