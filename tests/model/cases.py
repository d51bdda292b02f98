"""The models that the shared test runs over. A new embedding is one line in CASES."""

from dataclasses import dataclass, field

import torch

from hf_lengthgen import LengthGenConfig, LengthGenForCausalLM

VOCABULARY, BOS, DELIMITER, SECOND = 20, 1, 10, 11
FIRST_CHARACTER = 12  # ids below are special or delimiters


@dataclass
class Case:
    """One position embedding with options."""

    position_embedding: str
    options: dict = field(default_factory=dict)
    scale_hint: str = "none"
    hints: int = 1
    harden: bool = False
    settings: dict = field(default_factory=dict)  # of the configuration

    def __str__(self):
        chosen = self.options | self.settings
        parts = [self.position_embedding, *(f"{k}={v}" for k, v in chosen.items()), self.scale_hint]
        return "-".join(map(str, parts + ["hard"] * self.harden + [f"{self.hints}hints"] * (self.hints > 1)))

    def config(self, **overrides):
        rule = [[None, DELIMITER], [DELIMITER, SECOND]][: self.hints] if self.scale_hint != "none" else None
        values = dict(
            vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=64, position_embedding=self.position_embedding, position_options=self.options,
            scale_hint=self.scale_hint, num_scale_hints=self.hints, scale_rule=rule,
        )  # fmt: skip
        return LengthGenConfig(**values | self.settings | overrides)

    def model(self, **overrides):
        """Random weights, everything that starts at zero or open made random too."""
        torch.manual_seed(1)
        model = LengthGenForCausalLM(self.config(**overrides)).eval()
        with torch.no_grad():
            for module in model.position_modules():
                for name, parameter in module.named_parameters():
                    parameter.normal_(-0.5, 2.0) if name == "gate" else parameter.normal_()
                    if parameter.dim() == 4:
                        # A convolution over scores: of unit gain, or it magnifies their rounding errors.
                        parameter.mul_(parameter[0].numel() ** -0.5)
                    if name == "gate" and self.harden:
                        parameter[:, -1] = -5.0  # `other` shut: the sparse path
        return model.harden() if self.harden else model

    def prompts(self, rows=3, length=12):
        """(rows, length) ids; row r has its delimiters at other places than row r - 1, so scales are mixed."""
        generator = torch.Generator().manual_seed(2)
        ids = torch.randint(FIRST_CHARACTER, VOCABULARY, (rows, length), generator=generator)
        ids[:, 0] = BOS
        for row in range(rows):
            ids[row, 3 + row % 3] = DELIMITER
            ids[row, 6 + row % 3 + row % 2] = SECOND
        return ids


CASES = [
    Case("none"),
    Case("learned"),
    Case("learned", {"offset": 30}),
    Case("sinusoidal"),
    Case("rope"),
    Case("rope", scale_hint="prompt"),
    Case("rope", {"fraction": 0.25}),
    Case("rope", {"scaling": {"rope_type": "linear", "factor": 2.0}}, "prompt"),
    Case("rope", {"scaling": {"rope_type": "dynamic", "factor": 4.0, "original_max_position_embeddings": 5}}),
    Case("rope", {"scaling": {"rope_type": "dynamic", "factor": 4.0, "original_max_position_embeddings": 9}}, "prompt"),
    Case("rope", {"scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}}),
    Case("rope", {"scaling": {"rope_type": "llama3", "factor": 4.0, "original_max_position_embeddings": 16}}),
    Case("xpos"),
    Case("xpos", {"scale_base": 4.0}),
    Case("xpos", {"scale_base": 4.0}, "prompt"),
    Case("alibi"),
    Case("alibi", scale_hint="prompt"),
    Case("t5"),
    Case("t5", scale_hint="prompt"),
    Case("shaw", {"window": 4}),
    Case("shaw", {"window": 4}, "prompt"),
    Case("shaw", {"window": 4, "values": True, "per_head": True}),
    Case("shaw", {"values": True}, "prompt"),
    Case("transformer_xl"),
    Case("transformer_xl", scale_hint="prompt"),
    Case("hard_alibi"),
    Case("hard_alibi", {"windowed_heads": 4}, "prompt"),
    Case("kerple"),
    Case("kerple", {"kind": "power"}, "prompt"),
    Case("sandwich"),
    Case("sandwich", {"dimension": 16}, "prompt"),
    Case("fire"),
    Case("fire", {"shared": True, "threshold": 6.0}, "prompt"),
    Case("randomized", {"gap": 2}),
    Case("randomized", {"kind": "learned", "gap": 2}),
    Case("randomized", {"kind": "rope", "gap": 2}),
    Case("randomized", {"kind": "rope", "gap": 2}, "prompt"),
    Case("randomized", {"kind": "alibi", "gap": 2}, "prompt"),
    Case("randomized", {"kind": "transformer_xl", "gap": 2}, "prompt"),
    Case("randomized", {"kind": "shaw", "gap": 2}),
    Case("randomized", {"kind": "shaw", "gap": 2}, "prompt"),
    Case("randomized", {"kind": "fire", "gap": 2, "shared": True}, "prompt"),
    Case("random_float", {"gap": 1.5}),
    Case("random_float", {"kind": "rope", "gap": 1.5}, "prompt"),
    Case("random_float", {"kind": "alibi", "gap": 1.5}, "prompt"),
    Case("cope"),
    Case("cope", {"npos_max": 4}),
    Case("cope", {"npos_max": 6}, "prompt"),
    Case("dape"),
    Case("dape", scale_hint="prompt"),
    Case("dape", {"base": "t5", "base_options": {"buckets": 8, "max_distance": 16}, "kernel": 3, "width": 8}),
    Case("dape", {"base": "none", "kernel": 5, "width": 6}),
    Case("dape", {"base": "alibi", "kernel": 3}, "prompt"),
    Case("urpe"),
    Case("urpe", {"max_distance": 5, "base": "none"}),
    Case("urpe", {"max_distance": 5, "base": "alibi"}, "prompt"),
    Case("rpe_square"),
    Case("rpe_square", {"anchor_dim": 4, "max_distance": 5}, "prompt"),
    Case("forgetting"),
    Case("forgetting", scale_hint="prompt"),
    Case("path"),
    Case("path", {"rank": 4, "kernel": 1}),
    Case("abacus"),
    Case("abacus", {"digit_tokens": [12, 13, 14, 15, 16, 17]}),
    Case("abacus", {"digit_tokens": [12, 13, 14, 15], "base": "rope"}),
    Case("coupling"),
    Case("coupling", {"delimiters": [DELIMITER, SECOND]}),
    Case("coupling", {"delimiters": [DELIMITER, SECOND], "directions": ["backward", "backward", "forward"]}),
    Case("coupling", {"delimiters": [DELIMITER, SECOND], "base": "fire", "base_options": {"shared": True}}),
    Case("ipe"),
    Case("ipe", {"relations": ["i - j = n", "j = n + 1", "i - j = 0"]}, "prompt"),
    Case("lbpe"),
    Case("lbpe", scale_hint="prompt"),
    Case("lbpe", harden=True),
    Case("lbpe", scale_hint="prompt", harden=True),
    Case("lbpe", {"segments": [0, 1], "window": 3}, "prompt", hints=2),
    Case("lbpe", {"segments": [0, 1], "window": 3}, "prompt", hints=2, harden=True),
    Case("none", settings={"attention_temperature": "log_length", "temperature_length": 4}),
    Case("lbpe", harden=True, settings={"attention_temperature": "log_length", "temperature_length": 4}),
    Case("path", settings={"logit_scale": 1.5}),
    Case("lbpe", {"parametrisation": "mlp"}),
    Case("lbpe", {"parametrisation": "mlp"}, "prompt"),
    Case("lbpe", {"parametrisation": "table", "table_window": 5}),
    Case("lbpe", {"parametrisation": "table", "table_window": 5}, "prompt"),
]


def left_padded(rows, pad=0):
    """Sequences of different lengths as one batch (B, L) padded on the left, and its mask."""
    length = max(len(row) for row in rows)
    ids, mask = torch.full((len(rows), length), pad), torch.zeros(len(rows), length, dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, length - len(row) :] = row
        mask[index, length - len(row) :] = 1
    return ids, mask
