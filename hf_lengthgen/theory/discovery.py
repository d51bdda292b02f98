"""SRC discovery: from samples alone, the smallest sets of relations through which the next token can be told.

SRC relative to a dictionary D [our computable form of the SRC of 2510.04130]: over the sets S of relations in D for
which the next token is a function of the tuple of tokens read through S (⊥ where a relation holds nowhere), the
least number of distinct tuples that occur up to scale n. Reads that look for content, and circuits of several
internal steps, lie outside of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.relation import LinearRelation
from ..tasks import Task
from .found import CONSTANT, GROWING, UNDECIDED, Discovery, Growth, Witness, discovered_options
from .relations import Reads, complexity, dictionaries, read_rows
from .rows import Rows, check_consistent
from .search import DependencySearch, SearchBudget, conflicts, encode_rows
from .sources import Source, dataset_source, default_held_out, task_source, without_cot

__all__ = ["CONSTANT", "GROWING", "UNDECIDED", "Discovery", "discover", "discovered_options"]

COVERAGE = 0.99  # share of the tuples of held-out rows that must have been seen
HELD_OUT_TOKENS = 300  # fewer, all told right, do not show an error below 1% (rule of three, 95% confidence)
LIMIT = 8  # relations in a set
_MOST_SETS = 100  # of one size that are looked at
_MORE_SIZES = 2  # where the smallest sets do not last, so many more sizes are tried


def discover(
    task: Task | None = None,
    *,
    rows: Rows | None = None,
    n_max: int | None = None,
    held_out: Sequence[int] | None = None,
    dictionary: Sequence[LinearRelation] | None = None,
    scale_hint: bool = True,
    limit: int = LIMIT,
    seed: int = 0,
    compare: bool = False,
) -> Discovery:
    """Find the smallest sets of relations that determine the next token.

    Args:
        task: a task with its options; or `rows`: any data (see `dataset_rows`).
        n_max: the largest scale searched (task: 12; data: the median of the scales that occur).
        held_out: longer scales at which the result is tested (task only).
        dictionary: relations to choose from; by default LBPE's dictionary and then a wider one (see `dictionaries`).
        scale_hint: False leaves out all relations that need a Scale Hint.
        limit: the largest set tried.
        compare: also without the hint, and without the chain of thought where the task has that option.

    Raises:
        ValueError: an empty dictionary, inconsistent data (the message names the example), or a bad n_max.
    """
    if (task is None) == (rows is None):
        raise ValueError("discovery takes a task or rows, one of them.")
    if limit < 0:
        raise ValueError(f"limit must be at least 0, not {limit}.")
    if task is not None:
        n_max = 12 if n_max is None else n_max
        longer = default_held_out(n_max) if held_out is None else list(held_out)
        if not longer or n_max >= max(2, min(longer)):
            raise ValueError(f"held-out scales must lie beyond n_max = {n_max}, got {longer}.")
        source = task_source(task, n_max, longer, seed)
    else:
        source = dataset_source(rows, n_max, seed)
    if dictionary is None:
        has_marks = source.held_out.boundaries is not None
        choices = [
            (name, [r for r in found if r.segment is None or has_marks])
            for name, found in dictionaries(source.hints, scale_hint)
        ]
    else:
        given = [r for r in dictionary if scale_hint or not r.uses_scale]
        if not given:
            left = "" if not dictionary else " without the relations that need a Scale Hint"
            raise ValueError(f"the dictionary of relations is empty{left}: there is nothing to read through.")
        choices = [("given", given)]
    searched = source.more(0)
    if not (searched.asked.any() and source.held_out.asked.any()):
        raise ValueError("no token of the rows is to be predicted.")
    check_consistent(Rows.concatenate([searched, source.fresh, source.held_out]))
    for name, relations in choices:
        found = _discover(source, searched, name, relations, limit, seed)
        if found.verdict == CONSTANT:
            break
    doubt = _doubt(source)
    if found.verdict == CONSTANT and doubt:
        found.verdict, found.reason = UNDECIDED, doubt
    if compare:
        settings = {"n_max": n_max, "held_out": held_out, "limit": limit, "seed": seed}
        if scale_hint:
            plain = None if dictionary is None else [r for r in dictionary if not r.uses_scale]
            if plain is None or plain:
                found.without_hint = discover(task, rows=rows, dictionary=plain, scale_hint=False, **settings)
        bare = None if task is None else without_cot(task)
        if bare is not None:
            found.without_cot = discover(bare, dictionary=dictionary, scale_hint=scale_hint, **settings)
    return found


def _doubt(source: Source) -> str | None:
    """Why relations that fit decide nothing: the rows held out are no longer than those searched, or too few."""
    if source.held_out.largest.max() <= source.n_max:
        return f"these relations fit, but no row held out has an n beyond {source.n_max}, so none shows that they last"
    told = int(source.held_out.asked.sum())
    if told >= HELD_OUT_TOKENS:
        return None
    return (
        f"too few rows: these relations fit, but beyond n = {source.n_max} there are only {told} tokens to test them "
        f"on, and a verdict takes {HELD_OUT_TOKENS}"
    )


def _discover(source, searched: Rows, name: str, relations: list[LinearRelation], limit: int, seed: int) -> Discovery:
    train, fresh, held = (read_rows(part, relations) for part in (searched, source.fresh, source.held_out))
    base = {
        "dictionary": name,
        "dictionary_size": len(relations),
        "limit": limit,
        "n_max": source.n_max,
        "held_out": tuple(np.unique(held.n).tolist()),
    }
    witness = _whole_dictionary(train, held, searched, source.held_out)
    if witness is not None:
        reason = (
            f"not even all {len(relations)} relations together tell the next token: from n = {witness.n} on it depends "
            f"on tokens that none of them reads"
        )
        return Discovery(GROWING, reason, witness=witness, **base)
    classes = _equal_columns(train, fresh, held)
    order = [min(members, key=lambda k: complexity(relations[k])) for members in classes]
    search = DependencySearch(train.columns[:, order], train.target, np.random.default_rng([seed, 4]))
    best, ordered, all_tried, smaller = None, (), True, []
    for size in range(limit + 1):
        try:
            found = search.of_size(size, _MOST_SETS, smaller)
        except SearchBudget:
            all_tried, limit = False, size - 1
            break
        if found:
            judged = sorted(
                (_judge(train, fresh, held, tuple(order[k] for k in chosen), relations) for chosen in found),
                key=lambda j: (j.contradictions > 0, -round(j.coverage, 2), j.cost),
            )
            latest, refuting = _see_more(source, searched, judged[0], relations)
            if refuting is not None:  # search again with them among the rest
                searched = Rows.concatenate([searched, refuting])
                return _discover(source, searched, name, relations, base["limit"], seed)
            if best is None or latest.rank() < best.rank():
                best, ordered = latest, tuple(tuple(relations[k] for k in j.chosen) for j in judged)
            if best.rank()[0] == 0:
                break
            smaller += found
            if len(found) >= _MOST_SETS or len(smaller[0]) + _MORE_SIZES <= size:
                all_tried = size == limit and len(found) < _MOST_SETS
                break
    if best is None:
        reason = f"no set of at most {limit} of the {len(relations)} relations tells the next token"
        reason += "" if all_tried else "; the search for larger ones took too long and was stopped"
        return Discovery(UNDECIDED, reason, **base)
    return _verdict(best, ordered, all_tried, base, searched.names)


def _see_more(source, searched: Rows, judged: _Judged, relations) -> tuple[_Judged, Rows | None]:
    """The set with as many more rows in its table as are needed to see all of it, and rows of scales <= n_max that
    refute it, if there are some."""
    if judged.fresh_contradictions:
        return judged, source.fresh
    drawn = [searched]
    while not judged.contradictions and judged.coverage < COVERAGE:
        more = source.more(len(drawn))
        if more is None:
            break
        extra = read_rows(more, [relations[k] for k in judged.chosen])
        judged = judged.with_more(extra, sum(map(len, drawn)))
        drawn.append(more)
        if judged.train_contradictions:
            train = judged.train
            code = encode_rows(train.columns, range(train.columns.shape[1]), judged.size)
            clash = conflicts(code, train.target)
            # Rows that clash with one another are kept together.
            rows = train.row[clash][np.argsort(code[clash], kind="stable")]
            chosen = list(dict.fromkeys(rows[:1000].tolist()))
            return judged, Rows.concatenate(drawn).take(np.array(chosen))
    return judged, None


@dataclass
class _Judged:
    """A set of relations and its operator table, held against rows that were not searched."""

    chosen: tuple[int, ...]
    train: Reads
    fresh: Reads
    held: Reads
    size: int
    cost: tuple
    contradictions: int = 0
    train_contradictions: int = 0
    fresh_contradictions: int = 0
    coverage: float = 0.0
    fresh_coverage: float = 0.0

    def __post_init__(self) -> None:
        parts = (self.train, self.fresh, self.held)
        columns = np.concatenate([part.columns for part in parts])
        code = encode_rows(columns, range(columns.shape[1]), self.size)
        target = np.concatenate([part.target for part in parts])
        ends = np.cumsum([len(part) for part in parts])
        known, first = np.unique(code[: ends[0]], return_index=True)
        self.tuples = len(known)
        self.train_contradictions = int(
            (target[first][np.searchsorted(known, code[: ends[0]])] != target[: ends[0]]).sum()
        )

        def compare(low: int, high: int) -> tuple[float, int]:
            place = np.minimum(np.searchsorted(known, code[low:high]), len(known) - 1)
            seen = known[place] == code[low:high]
            wrong = int((target[first][place][seen] != target[low:high][seen]).sum())
            distinct, one = np.unique(code[low:high], return_index=True)
            return float(seen[one].mean()) if len(distinct) else 1.0, wrong

        self.fresh_coverage, wrong_fresh = compare(ends[0], ends[1])
        self.coverage, wrong_held = compare(ends[1], ends[2])
        # Unseen tuples may contradict each other, too.
        fresh = slice(ends[0], ends[1])
        self.fresh_contradictions = wrong_fresh + int(conflicts(code[fresh], target[fresh]).sum())
        self.contradictions = wrong_fresh + wrong_held + int(conflicts(code[ends[1] :], target[ends[1] :]).sum())

    def rank(self) -> tuple:
        """Sort key: first what is constant, then what is not contradicted, then by coverage."""
        constant = not self.contradictions and self.coverage >= COVERAGE
        return (0 if constant else 1, self.contradictions > 0, -self.coverage)

    def table(self, names: tuple[str, ...]) -> dict[tuple[str, ...], str]:
        """What was read -> the next token; empty where there are more than 50,000 entries."""
        if self.tuples > 50_000:
            return {}
        code = encode_rows(self.train.columns, range(self.train.columns.shape[1]), self.size)
        first = np.unique(code, return_index=True)[1]
        read, following = self.train.columns[first].tolist(), self.train.target[first].tolist()
        return {tuple(names[c] for c in row): names[t] for row, t in zip(read, following, strict=True)}

    def with_more(self, extra: Reads, row_offset: int) -> _Judged:
        """With further rows in the table; they are numbered from `row_offset`."""
        moved = Reads(extra.columns, extra.target, extra.row + row_offset, extra.query, extra.n)
        pairs = zip(vars(self.train).values(), vars(moved).values(), strict=True)
        train = Reads(*(np.concatenate(pair) for pair in pairs))
        return _Judged(self.chosen, train, self.fresh, self.held, self.size, self.cost)


def _judge(train: Reads, fresh: Reads, held: Reads, chosen: tuple[int, ...], relations) -> _Judged:
    def only(part: Reads) -> Reads:
        return Reads(part.columns[:, list(chosen)], part.target, part.row, part.query, part.n)

    size = 1 + max(int(part.columns.max(initial=0)) for part in (train, fresh, held))
    judged = _Judged(chosen, only(train), only(fresh), only(held), size, ())
    judged.cost = (judged.tuples, sum(complexity(relations[k])[0] for k in chosen), chosen)
    return judged


def _verdict(seen: _Judged, sets, all_tried: bool, base: dict, names: tuple[str, ...]) -> Discovery:
    growth = _growth(seen)
    longest, n_max, verdict = base["held_out"][-1], base["n_max"], UNDECIDED
    if not seen.contradictions and seen.coverage >= COVERAGE:
        verdict = CONSTANT
        reason = f"{seen.coverage:.1%} of the tuples read up to n = {longest} occur up to n = {n_max}"
    elif seen.contradictions:
        reason = f"the smallest sets that work up to n = {n_max} are contradicted by longer rows; raise n_max"
    elif seen.fresh_coverage >= COVERAGE:
        # A table may still be filling at n_max and be complete later: this is no proof that it grows for good.
        reason = f"longer rows read tuples that do not occur up to n = {n_max} ({seen.coverage:.1%} do); raise n_max"
    else:
        reason = (
            f"too few rows: of the tuples of fresh rows up to n = {n_max} only {seen.fresh_coverage:.1%} had been seen"
        )
    if verdict == UNDECIDED and not all_tried:
        reason += "; not all larger sets were tried"
    return Discovery(
        verdict,
        reason,
        relations=sets[0],
        sets=sets,
        tuples=seen.tuples,
        coverage=seen.coverage,
        contradictions=seen.contradictions,
        growth=growth,
        table=seen.table(names),
        **base,
    )


def _growth(seen: _Judged) -> tuple[Growth, ...]:
    columns = np.concatenate([seen.train.columns, seen.held.columns])
    n = np.concatenate([seen.train.n, seen.held.n])
    code = encode_rows(columns, range(columns.shape[1]), seen.size)
    order = np.lexsort((n, code))
    new = np.concatenate([[True], code[order][1:] != code[order][:-1]])
    first_n = n[order][new]
    held_n = set(np.unique(seen.held.n).tolist())
    return tuple(
        Growth(scale, int((first_n <= scale).sum()), int((first_n == scale).sum()), scale not in held_n)
        for scale in np.unique(n).tolist()
    )


def _whole_dictionary(train: Reads, held: Reads, searched: Rows, held_rows: Rows) -> Witness | None:
    """Two rows that agree on every relation and go on differently, of the smallest scale there is."""
    parts = ((train, searched), (held, held_rows))
    columns = np.concatenate([part.columns for part, _ in parts])
    target = np.concatenate([part.target for part, _ in parts])
    n = np.concatenate([part.n for part, _ in parts])
    size = int(columns.max(initial=0)) + 1
    code = encode_rows(columns, range(columns.shape[1]), size)
    order = np.lexsort((n, code))
    code, target_, n_ = code[order], target[order], n[order]
    starts = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]]))
    group_first = np.repeat(starts, np.diff(np.append(starts, len(code))))
    wrong = np.flatnonzero(target_ != target_[group_first])
    if not len(wrong):
        return None
    best = wrong[np.argmin(n_[wrong])]
    pair = order[group_first[best]], order[best]

    def shown(k: int) -> tuple[str, str]:
        part, rows = parts[0] if k < len(train) else parts[1]
        k = k if k < len(train) else k - len(train)
        return rows.text(part.row[k], part.query[k] + 1), rows.names[part.target[k]]

    return Witness(int(n_[best]), shown(pair[0]), shown(pair[1]))


def _equal_columns(*parts: Reads) -> list[list[int]]:
    """Groups of relations that read the same in all rows; those that never read anything are left out."""
    columns = np.ascontiguousarray(np.concatenate([part.columns for part in parts]).T)
    groups: dict[bytes, list[int]] = {}
    for k, column in enumerate(columns):
        if column.any():
            groups.setdefault(column.tobytes(), []).append(k)
    return list(groups.values())
