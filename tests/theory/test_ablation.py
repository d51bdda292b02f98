import json

import pytest
import torch

from hf_lengthgen import LengthGenConfig, LengthGenForCausalLM
from hf_lengthgen.theory.ablation import closed, main, open_relations

OPEN = [[["i - j = 0", "i - j = n"], ["i - j = n", "j = 0"]]]


def model(heads=OPEN, **more):
    sizes = {"vocab_size": 11, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LengthGenConfig(**sizes, position_embedding="lbpe", scale_hint="input", open_relations=heads, **more)
    torch.manual_seed(0)
    return LengthGenForCausalLM(config).eval()


def logits(model):
    ids = torch.arange(40).reshape(2, 20) % 11
    with torch.no_grad():
        return model(input_ids=ids, scale_hint=torch.tensor([[4], [7]])).logits


def test_a_closed_relation_is_as_if_no_head_had_opened_it():
    whole, without = model(), model([[["i - j = 0"], ["j = 0"]]])
    places = whole.model.positions[0].weight
    places.data[:] = torch.tensor([[0.3, 1.0], [0.5, -0.4]])
    state = {name: tensor for name, tensor in whole.state_dict().items() if "positions" not in name}
    without.load_state_dict(state | {"model.positions.0.weight": torch.tensor([[0.3], [-0.4]])})
    before = logits(whole)
    with closed(whole, "i - j = n"):
        assert torch.allclose(logits(whole), logits(without), atol=1e-6)
        assert not torch.allclose(logits(whole), before, atol=1e-3)
    assert torch.equal(logits(whole), before)


def test_a_head_may_lose_its_only_relation():
    whole = model([[["i - j = 1"], ["i - j = 0"]]])
    with closed(whole, "i - j = 1"):
        assert logits(whole).isfinite().all()


def test_what_can_be_closed():
    assert open_relations(model()) == ["i - j = 0", "i - j = n", "j = 0"]
    with (
        pytest.raises(ValueError, match="no head opened 'j = 1'; open are i - j = 0; i - j = n; j = 0"),
        closed(model(), "j = 1"),
    ):
        pass
    with pytest.raises(ValueError, match="settled"):
        open_relations(model(None))
    with pytest.raises(ValueError, match="settled"):
        open_relations(LengthGenForCausalLM(LengthGenConfig(vocab_size=11, hidden_size=16, position_embedding="rope")))


def test_the_command(tiny_run, tmp_path, capsys):
    out = tmp_path / "closed.json"
    assert main([str(tiny_run), "--n", "2", "--examples", "4", "--output", str(out)]) == 0
    found = json.loads(out.read_text())
    assert (found["n"], found["examples"], found["model"]["task"]) == (2, 4, "copy")
    lengths = json.loads((tiny_run / "lengths.json").read_text())["lengths"]
    assert found["right"] == lengths[0]["correct"]
    told = capsys.readouterr()
    assert told.out.splitlines()[:2] == ["right  of 4", f"{found['right']}      as it is"]
    assert len(told.out.splitlines()) == 2 + len(found["right_without"]) and "without i - j = n: " in told.err
    assert main([str(tiny_run), "--n", "none"]) == 2
    assert main([str(tmp_path), "--n", "2"]) == 2
