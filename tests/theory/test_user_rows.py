import numpy as np
import pytest

from hf_lengthgen.data.load_dataset import load_dataset
from hf_lengthgen.tasks import get_task
from hf_lengthgen.theory.relations import read_rows
from hf_lengthgen.theory.rows import rows_of_samples
from hf_lengthgen.theory.user_rows import dataset_rows, open_dataset


def shown(rows):
    return [
        (rows.text(k), [rows.names[c] for c in rows.tokens[k, np.flatnonzero(rows.asked[k]) + 1]])
        for k in range(len(rows))
    ]


RECORDS = [{"text": "ab=ba", "n": 2}, {"text": "a=a", "n": 1}]


def test_text_and_the_mark_behind_which_the_answer_begins():
    rows = dataset_rows(RECORDS, answer_after="=")
    assert shown(rows) == [("ab=ba", ["b", "a", "<eos>"]), ("a=a", ["a", "<eos>"])]
    assert rows.scales.tolist() == [[2], [1]] and rows.boundaries is None


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "ab=b", "answer": "a>ab"},
        {"prompt": "ab=b", "answer": "a>ab", "text": "ab=ba>ab"},
        {"text": "ab=ba>ab", "answer_mask": [False] * 3 + [True] * 7},
    ],
    ids=" ".join,
)
def test_the_mark_wins_over_what_the_columns_say(record):
    assert shown(dataset_rows([record | {"n": 2}], answer_after=">")) == [("ab=ba>ab", ["a", "b", "<eos>"])]


def test_our_own_data_sets(tmp_path):
    """Columns prompt and answer, and with these taken away, answer_mask."""
    data = load_dataset("addition", rows=50, n_max=5, widths="unequal", cache_dir=tmp_path)
    rows = dataset_rows(data)
    assert shown(rows) == [(r["text"], [*r["answer"], "<eos>"]) for r in data]
    assert rows.scales.tolist() == [r["scale_hint"] for r in data]
    masked = dataset_rows(data.remove_columns(["prompt", "answer"]), delimiters="+=")
    assert shown(masked) == shown(rows)
    for k, record in enumerate(data):
        plus, equals = 1 + record["text"].index("+"), 1 + record["text"].index("=")
        assert masked.boundaries[k].tolist() == [[0, plus], [plus, equals]]


def test_the_same_rows_read_the_same_as_those_of_the_task():
    from hf_lengthgen.theory.relations import build_dictionary

    task = get_task("copy")
    samples = task.sample(4, 10, np.random.default_rng(0))
    pairs = zip(samples.prompt_strings(), samples.answer_strings(), strict=True)
    user = dataset_rows([{"prompt": p, "answer": a, "n": 4} for p, a in pairs])
    relations = build_dictionary()
    ours, theirs = read_rows(rows_of_samples(task, samples), relations), read_rows(user, relations)
    names = rows_of_samples(task, samples).names
    assert [[names[c] for c in line] for line in ours.columns.tolist()] == [
        [user.names[c] for c in line] for line in theirs.columns.tolist()
    ]


@pytest.mark.parametrize(
    ("records", "options", "message"),
    [
        ([], {}, "has no rows"),
        ([{"text": "a=a"}], {}, "needs a column 'n'"),
        ([{"n": 1}], {}, "needs a column 'text', or 'prompt' and 'answer'; it has n"),
        (RECORDS, {}, "nothing says where the answer begins"),
        (RECORDS, {"answer_after": ">"}, "row 0 of the data set, 'ab=ba', lacks '>'"),
        ([{"text": "", "n": 1}], {}, "must be a string that is not empty"),
        ([{"prompt": 1, "answer": "a", "n": 1}], {}, "prompt and answer must be strings"),
        ([{"text": "a=a", "n": 0}], {"answer_after": "="}, "an integer of at least 1, got 0"),
        ([{"text": "a=a", "n": 1.5}], {"answer_after": "="}, "an integer of at least 1, got 1.5"),
        ([{"text": "a=a", "n": 1, "answer_mask": [True]}], {}, "answer_mask has 1 flags for 3 characters"),
        ([{"text": "a=a", "scale_hint": 1}, {"text": "a=a", "scale_hint": None}], {"answer_after": "="}, "got None"),
        ([{"text": "a=a", "n": 1}, {"text": "a=a"}], {"answer_after": "="}, "row 1 .* at least 1, got None"),
        ([RECORDS[0], {"n": 1}], {"answer_after": "="}, "row 1 .* text must be a string that is not empty, got None"),
        ([{"text": "a=a", "n": 1, "answer_mask": None}], {}, "row 0 .* answer_mask must be a list of flags, got None"),
        ([{"text": "a=a", "n": 1, "answer_mask": ["x"] * 5}], {}, "answer_mask must be a list of flags, got"),
        (RECORDS, {"answer_after": "=", "delimiters": "+="}, "1 scales need as many delimiters"),
        (RECORDS, {"answer_after": "=", "delimiters": "+"}, r"row 0, 'ab=ba', lacks the delimiter '\+'"),
        ([RECORDS[0], {"text": "a=a", "n": [1, 2]}], {"answer_after": "="}, "different numbers of scales"),
    ],
)
def test_bad_data_sets_are_refused(records, options, message):
    with pytest.raises(ValueError, match=message):
        dataset_rows(records, **options)


def test_parquet_files_and_folders(tmp_path):
    import datasets

    datasets.Dataset.from_list(RECORDS).to_parquet(tmp_path / "some" / "rows.parquet")
    for path in (tmp_path / "some", tmp_path / "some" / "rows.parquet"):
        assert open_dataset(path).to_list() == RECORDS
    for path in (tmp_path / "none", tmp_path):
        (tmp_path / "some" / "rows.parquet").unlink(missing_ok=True)
        with pytest.raises(ValueError, match="is no Parquet file and no folder that holds any"):
            open_dataset(path)
    (tmp_path / "broken.parquet").write_bytes(b"no Parquet")
    with pytest.raises(ValueError, match="broken.parquet cannot be read as Parquet: ") as error:
        open_dataset(tmp_path / "broken.parquet")
    assert "\n" not in str(error.value)


def test_delimiters_that_would_be_misread():
    row = {"prompt": "ab+cd=", "answer": "abcd", "n": [2, 2]}
    assert dataset_rows([row], delimiters="+=").boundaries.tolist() == [[[0, 3], [3, 6]]]
    with pytest.raises(ValueError, match="row 0, 'ab.cd=abcd', has its delimiters in another order than '=.'"):
        dataset_rows([row], delimiters="=+")
    with pytest.raises(ValueError, match="every hint needs a delimiter of its own"):
        dataset_rows([row | {"prompt": "ab|cd|"}], delimiters="||")
