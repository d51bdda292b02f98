"""Every position embedding under the model tests of transformers itself (`make conformance`).

The same checks run over Llama, so that what fails or is skipped here can be held against it.
"""

import sys
import unittest

import pytest
import torch

pytestmark = pytest.mark.conformance
EPSILONS = {f"{norm}_{e}" for norm in ("batch_norm", "layer_norm", "norm", "post_norm") for e in ("eps", "epsilon")}
# It asks for inheritance from a mix-in that the archive lacks.
LACKING = ("test_generation_tester_mixin_inheritance",)
# Where the embedding works on probabilities, asking for sdpa is an error by design.
SWITCHES_TO_SDPA = ("test_can_set_attention_dynamically", "test_sdpa_can_dispatch_non_composite_models")
# Where ids are read off the tokens, embeddings alone do not do, and the options name tokens that a shrunk vocabulary
# no longer has.
NEEDS_NO_TOKENS = ("test_inputs_embeds", "test_inputs_embeds_matches_input_ids", "test_resize_tokens_embeddings")


def _asked_for() -> bool:
    """Collecting these tests downloads an archive: only `-m conformance` may."""
    return "conformance" in " ".join(sys.argv)


def _tester(make_config, classes):
    class Tester:
        """What ModelTesterMixin asks of a model's own tester."""

        batch_size, seq_length, is_training = 3, 7, True
        hidden_size, num_hidden_layers, num_attention_heads = 32, 2, 4
        vocab_size = 20
        all_model_classes = classes

        def prepare_config_and_inputs_for_common(self):
            ids = torch.randint(12, self.vocab_size, (self.batch_size, self.seq_length))
            ids[:, 0] = 1
            return make_config(), {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

        def get_config(self):
            return make_config()

    return Tester


def _excused(case) -> tuple[str, ...]:
    """Tests that cannot hold for a case, by its capability record."""
    can = case.model().position_modules()[0].capabilities
    return LACKING + SWITCHES_TO_SDPA * (not can.sdpa) + NEEDS_NO_TOKENS * can.structured_ids


def _suite(name, make_config, classes, mixin, excused=LACKING):
    def set_up(self):
        self.model_tester = _tester(make_config, classes)()

    members = {"all_model_classes": classes, "setUp": set_up, "pytestmark": pytestmark, "__module__": __name__}
    members |= dict.fromkeys(excused)
    return type(name, (mixin, unittest.TestCase), members)


def _suites():
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_MAPPING_NAMES

    from hf_lengthgen import LengthGenForCausalLM, LengthGenModel
    from hf_lengthgen.model import configuration_lengthgen

    from .cases import CASES
    from .transformers_tests import model_tester_mixin

    mixin = model_tester_mixin()
    # The tests ask these tables, which hold only transformers' own models, what each class is for.
    MODEL_MAPPING_NAMES["lengthgen"] = LengthGenModel.__name__
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES["lengthgen"] = LengthGenForCausalLM.__name__
    # They also set every norm's epsilon under all the names it has in transformers; ours refuses unknown keys.
    configuration_lengthgen._INHERITED_KEYWORDS |= EPSILONS

    def llama():
        return LlamaConfig(
            vocab_size=20, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4
        )

    yield _suite("TestLlama", llama, (LlamaModel, LlamaForCausalLM), mixin)
    for case in CASES:
        # ModelTesterMixin knows nothing of Scale Hints: those are the business of tests/model/test_contract.py.
        # Its random rows lack the delimiters without which `coupling` cannot count backward.
        if case.scale_hint == "none" and "directions" not in case.options:
            words = "".join(part.capitalize() for part in str(case).replace("=", "-").replace("_", "-").split("-"))
            yield _suite(f"Test{words}", case.config, (LengthGenModel, LengthGenForCausalLM), mixin, _excused(case))


globals().update({suite.__name__: suite for suite in _suites()} if _asked_for() else {})
