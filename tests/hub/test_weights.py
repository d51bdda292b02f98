"""Headers that safetensors itself accepts are accepted; those of test_verification.py are refused."""

import pytest
import torch
from safetensors.torch import save_file

from hf_lengthgen.hub.weights import SIZES, check_safetensors

TYPES = [
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
    torch.float32, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2, torch.uint16, torch.uint32, torch.uint64,
]  # fmt: skip


def test_files_of_safetensors_are_sound(tmp_path):
    tensors = {f"t{number}": torch.zeros(3, 2).to(kind) for number, kind in enumerate(TYPES)}
    save_file(tensors | {"scalar": torch.tensor(1.0), "empty": torch.zeros(0, 4)}, tmp_path / "a", {"format": "pt"})
    check_safetensors(tmp_path / "a")
    assert len(TYPES) == len(SIZES)
    save_file({}, tmp_path / "none")
    check_safetensors(tmp_path / "none")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "too short"),
        ((2).to_bytes(8, "little") + b"[]", "no JSON object"),
        ((2).to_bytes(8, "little") + b"{\xff", "no JSON object"),
        ((9).to_bytes(8, "little") + b'{"a": {}}', "'a' has no dtype"),
        ((26).to_bytes(8, "little") + b'{"__metadata__": {"a": 1}}', "metadata is not text"),
        (
            (58).to_bytes(8, "little") + b'{"a": {"dtype": [], "shape": [0], "data_offsets": [0, 0]}}',
            "unknown type \\[\\]",
        ),
        ((10).to_bytes(8, "little") + b'{"a": NaN}', "its header is refused: it holds NaN"),
    ],
)
def test_what_is_no_safetensors_file(data, message, tmp_path):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        check_safetensors(tmp_path / "a")
