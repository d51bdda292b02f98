from types import SimpleNamespace

import pytest

from hf_lengthgen.evaluation.batching import SCORE_BYTES, default_batch_size


def model(sparse, heads=4):
    return SimpleNamespace(sparse=sparse, config=SimpleNamespace(num_attention_heads=heads))


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("mode, budget", [("generate", 200_000), ("teacher", 65_536)])
@pytest.mark.parametrize("n", [1, 10, 100, 1000, 3000])
def test_the_batch_is_the_largest_within_both_budgets(sparse, mode, budget, n):
    prompt, total = 2 * n + 3, 3 * n + 5
    side = prompt if mode == "generate" else total
    size = default_batch_size(model(sparse), prompt, total, mode)

    def fits(rows):
        return rows * total <= budget and (sparse or rows * 4 * side * side * 4 <= SCORE_BYTES)

    assert (fits(size) or size == 1) and not fits(size + 1)


def test_one_example_is_always_tried():
    assert default_batch_size(model(False), 20_003, 30_005, "teacher") == 1
    assert default_batch_size(model(True), 200_003, 300_005, "generate") == 1


def test_a_model_that_does_not_say_is_dense():
    plain = SimpleNamespace(config=SimpleNamespace(num_attention_heads=4))
    assert default_batch_size(plain, 2003, 3005, "teacher") == default_batch_size(model(False), 2003, 3005, "teacher")


def test_embeddings_with_square_tables_at_every_step_get_smaller_batches():
    square = SimpleNamespace(sparse=False, square_tables=True, config=SimpleNamespace(num_attention_heads=4))
    assert default_batch_size(square, 1000, 4000, "generate") == SCORE_BYTES // (16 * 4000 * 4000)
    assert default_batch_size(square, 1000, 4000, "generate") < default_batch_size(model(False), 1000, 4000, "generate")
