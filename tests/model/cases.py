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

    def __str__(self):
        parts = [self.position_embedding, *(f"{k}={v}" for k, v in self.options.items()), self.scale_hint]
        return "-".join(map(str, parts + ["hard"] * self.harden + [f"{self.hints}hints"] * (self.hints > 1)))

    def config(self, **overrides):
        rule = [[None, DELIMITER], [DELIMITER, SECOND]][: self.hints] if self.scale_hint != "none" else None
        values = dict(
            vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=64, position_embedding=self.position_embedding, position_options=self.options,
            scale_hint=self.scale_hint, num_scale_hints=self.hints, scale_rule=rule,
        )  # fmt: skip
        return LengthGenConfig(**values | overrides)

    def model(self, **overrides):
        """Random weights, everything that starts at zero or open made random too."""
        torch.manual_seed(1)
        model = LengthGenForCausalLM(self.config(**overrides)).eval()
        with torch.no_grad():
            for module in model.position_modules():
                for name, parameter in module.named_parameters():
                    parameter.normal_(-0.5, 2.0) if name == "gate" else parameter.normal_()
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
    Case("sinusoidal"),
    Case("rope"),
    Case("rope", scale_hint="prompt"),
    Case("alibi"),
    Case("alibi", scale_hint="prompt"),
    Case("t5"),
    Case("t5", scale_hint="prompt"),
    Case("ipe"),
    Case("ipe", {"relations": ["i - j = n", "j = n + 1", "i - j = 0"]}, "prompt"),
    Case("lbpe"),
    Case("lbpe", scale_hint="prompt"),
    Case("lbpe", harden=True),
    Case("lbpe", scale_hint="prompt", harden=True),
    Case("lbpe", {"segments": [0, 1], "window": 3}, "prompt", hints=2),
    Case("lbpe", {"segments": [0, 1], "window": 3}, "prompt", hints=2, harden=True),
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
