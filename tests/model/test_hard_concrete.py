"""Hard-concrete gates against numbers of 1712.01312 and against sampling."""

import math

import torch

from hf_lengthgen.model.hard_concrete import mean_gate, open_probability, sample_gate


def test_open_probability_is_the_share_of_samples_above_zero():
    logits = torch.linspace(-4, 4, 9)
    generator = torch.Generator().manual_seed(0)
    samples = torch.stack([sample_gate(logits, generator) for _ in range(20_000)])
    torch.testing.assert_close((samples > 0).float().mean(0), open_probability(logits), atol=0.015, rtol=0)


def test_gates_have_mass_at_both_ends_and_stay_inside():
    samples = sample_gate(torch.zeros(20_000), torch.Generator().manual_seed(0))
    assert samples.min() == 0 and samples.max() == 1
    assert 0.05 < (samples == 0).float().mean() < 0.3


def test_mean_gate_by_hand():
    # sigmoid(1) = 0.7310586; stretched to (-0.1, 1.1): 0.7772703
    assert math.isclose(float(mean_gate(torch.tensor(1.0))), 0.7310586 * 1.2 - 0.1, rel_tol=1e-6)
    assert mean_gate(torch.tensor(-5.0)) == 0 and mean_gate(torch.tensor(5.0)) == 1


def test_gradient_reaches_half_open_gates():
    logits = torch.zeros(1000, requires_grad=True)
    sample_gate(logits, torch.Generator().manual_seed(0)).sum().backward()
    assert (logits.grad > 0).float().mean() > 0.5
