"""What is kept of the base gives the logits and gradients of the whole model."""

import numpy as np
import pytest
import torch

from hf_lengthgen import get_task
from hf_lengthgen.retrofit import retrofit
from hf_lengthgen.retrofit.pool import SEQUENTIAL, build_pool, pooled_logits
from hf_lengthgen.retrofit.text import TextCodec

from .test_modeling_retrofit import disturb
from .test_text import byte_pairs
from .tiny import SMALL, tiny


@pytest.mark.parametrize("family", SEQUENTIAL)
def test_pooled_logits_and_gradients_are_the_models(family):
    codec = TextCodec(get_task("addition"), byte_pairs(prefix_bos=True))
    model = disturb(retrofit(tiny(family), writes="last", **SMALL))
    pools = build_pool(model, codec, [3], 5, seed=0, batch_size=2)
    rows = torch.tensor([4, 1])
    logits = pooled_logits(model, pools[3], rows)
    samples = codec.task.sample(3, 5, np.random.default_rng([0, 3, 1]))
    arrays = {key: torch.from_numpy(a)[rows] for key, a in codec.rows(samples).items()}
    whole = model(arrays["input_ids"], scale_hint=arrays["scale_hint"]).logits
    answer = pools[3].targets.shape[1]
    torch.testing.assert_close(logits, whole[:, -answer - 1 : -1], atol=1e-5, rtol=1e-5)
    assert torch.equal(pools[3].targets[rows], arrays["labels"][:, -answer:])
    some = torch.tensor([5, 2, 60])
    torch.testing.assert_close(pooled_logits(model, pools[3], rows, some), logits[..., some], atol=1e-5, rtol=1e-5)
    logits.square().mean().backward()
    pooled = [p.grad.clone() for p in model.additions.parameters()]
    model.zero_grad()
    whole[:, -answer - 1 : -1].square().mean().backward()
    for a, b in zip(pooled, (p.grad for p in model.additions.parameters()), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_everything_is_on_the_models_device(monkeypatch):
    """'meta' stands for a GPU."""
    # transformers looks at the values of positions, of which 'meta' has none.
    monkeypatch.setattr("transformers.masking_utils.find_packed_sequence_indices", lambda positions: None)
    codec = TextCodec(get_task("addition"), byte_pairs())
    model, read = retrofit(tiny().to("meta"), writes="last", **SMALL), []
    model.get_input_embeddings().register_forward_pre_hook(lambda module, args: read.append(args[0]))
    pooled = build_pool(model, codec, [3], 4, seed=0, batch_size=2)[3]
    tensors = [*read, *pooled.hidden.values(), pooled.residual, pooled.targets, pooled.scale]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_a_pool_is_refused_where_the_base_depends_on_the_additions():
    codec = TextCodec(get_task("addition"), byte_pairs())
    with pytest.raises(ValueError, match="writes='last' and layers that end with the last one, 2"):
        build_pool(retrofit(tiny(), **SMALL), codec, [1], 2, 0)
    with pytest.raises(ValueError, match="not 'phi'"):
        build_pool(retrofit(tiny("phi"), writes="last", **SMALL), codec, [1], 2, 0)
    with pytest.raises(ValueError, match="needs a frozen base"):
        build_pool(retrofit(tiny(), writes="last", freeze=False, **SMALL), codec, [1], 2, 0)
