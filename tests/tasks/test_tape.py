from .contract import TaskContract

PAIRS = [(cells, steps) for cells in range(1, 7) for steps in range(1, 7)]


class TestTape(TaskContract):
    name = "tape"
    variants = [{}, {"cot": False}, {"letters": 4, "states": 5, "seed": 2}, {"states": 1}]
    scales = [1, 2, 7, 20, (1, 9), (20, 3), (3, 20)]
    large = [100, (1000, 20), (20, 1000)]
    examples = [
        ({}, "abAa:##=", "aDba:#.=aaFa:..="),
        ({"cot": False}, "abAa:##=", "aaFa"),
    ]
    digests = [({}, "150c836630ff1a8a"), ({"cot": False}, "dadacd71ddf11efd")]
    bad_options = [
        ({"letters": 1}, "between 2 and 5, got 1"),
        ({"states": 6}, "between 1 and 5, got 6"),
        ({"seed": -2}, "at least 0, got -2"),
    ]
    bad_prompts = [
        ({}, "aba:#=", "a tape with one head"),
        ({}, "aBA:#=", "a tape with one head"),
        ({}, "aBa:a=", "a tape with one head"),
        ({}, "aBz:#=", "foreign characters 'z'"),
        ({}, "aBa=", "lacks ':'"),
    ]
    relations = [({}, PAIRS, [(12, 12), (20, 3), (3, 20)])]
    relation_rows = 800

    def test_the_default_machine_uses_the_whole_tape_for_ever(self):
        task = self.task()
        steps = 600
        rows = task.answer("abababaAbababab:" + "#" * steps + "=").split("=")[-200:-1]
        heads = [next(place for place, cell in enumerate(row) if cell.isupper()) for row in rows]
        assert set(heads) == set(range(15))
        assert {row[head] for row, head in zip(rows, heads, strict=True)} == set(task.head_names)
