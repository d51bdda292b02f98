"""The smallest sets of columns that determine a target: functional dependencies, by exact search.

A set of columns works if no two rows agree on it and differ in the target. Working is monotone: a larger set works
too. So a set works iff it meets every *cut*, the complement of a largest set that fails. Cuts are found as they are
needed: whatever set meets all known cuts and still fails is grown into a largest failing one, whose complement is a
new cut (implicit hitting sets). The search over sets is by size, so the first that work are the smallest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_ROOM = 2**62


def encode_rows(columns: np.ndarray, chosen: Sequence[int], size: int) -> np.ndarray:
    """int64 (rows,): equal exactly where the rows agree on all chosen columns.

    Args:
        columns: (rows, columns) codes in 0..size - 1.
    """
    code, range_ = np.zeros(len(columns), dtype=np.int64), 1
    for column in chosen:
        if range_ > _ROOM // size:
            code = np.unique(code, return_inverse=True)[1].astype(np.int64)
            range_ = len(columns)
        code = code * size + columns[:, column]
        range_ *= size
    return code


def conflicts(code: np.ndarray, target: np.ndarray) -> np.ndarray:
    """bool (rows,): another row has the same code and a different target."""
    if not len(code):
        return np.zeros(0, dtype=bool)
    order = np.argsort(code, kind="stable")
    code, target = code[order], target[order]
    starts = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]]))
    mixed = np.minimum.reduceat(target, starts) != np.maximum.reduceat(target, starts)
    out = np.zeros(len(code), dtype=bool)
    out[order] = np.repeat(mixed, np.diff(np.append(starts, len(code))))
    return out


class SearchBudget(Exception):
    """The search took more steps than it may."""


class DependencySearch:
    """Searches columns for smallest sets that determine the target.

    Args:
        columns: (rows, columns) codes; target: (rows,).
        rng: which of many cuts are found first, and so how long it takes; never the result.
        budget: steps of the search, over all sizes.
    """

    def __init__(self, columns: np.ndarray, target: np.ndarray, rng: np.random.Generator, budget: int = 200_000):
        self.columns, self.target, self.rng = np.asfortranarray(columns), target, rng
        self.size = int(columns.max(initial=0)) + 1
        self.width = columns.shape[1]
        self.cuts: list[int] = []  # sets of columns as bits of an integer
        self.left = budget

    def works(self, chosen: int) -> bool:
        """Whether the chosen columns (bits) determine the target; a set that does not leaves cuts behind."""
        code = encode_rows(self.columns, _members(chosen), self.size)
        rows = np.flatnonzero(conflicts(code, self.target))
        for _ in range(2 if len(rows) else 0):
            self._add_cut(chosen, rows)
        return not len(rows)

    def _add_cut(self, chosen: int, rows: np.ndarray) -> None:
        """Grow a failing set until nothing can be added, and keep the complement."""
        code = encode_rows(self.columns[rows], _members(chosen), self.size)
        for column in self.rng.permutation(self.width).tolist():
            if chosen >> column & 1:
                continue
            # Numbered anew at each step, so that one column more never overflows.
            code = np.unique(code, return_inverse=True)[1].astype(np.int64)
            finer = code * self.size + self.columns[rows, column]
            left = conflicts(finer, self.target[rows])
            if left.any():
                chosen |= 1 << column
                rows, code = rows[left], finer[left]
        cut = (1 << self.width) - 1 & ~chosen
        if not any(known & ~cut == 0 for known in self.cuts):
            self.cuts = sorted((known for known in self.cuts if cut & ~known), key=int.bit_count)
            self.cuts.append(cut)
            self.cuts.sort(key=int.bit_count)

    def smallest(self, limit: int, most: int = 100) -> list[tuple[int, ...]]:
        """Every smallest set that works, sorted; at most `most` of them. Empty if none has up to `limit` columns."""
        for size in range(limit + 1):
            found = self.of_size(size, most)
            if found:
                return found
        return []

    def of_size(self, size: int, most: int = 100, below: Sequence[tuple[int, ...]] = ()) -> list[tuple[int, ...]]:
        """The sets of this size that work and of which no part does, sorted; at most `most`.

        Args:
            below: all such sets of smaller sizes.

        Raises:
            SearchBudget: it took too many steps.
        """
        known = [sum(1 << column for column in chosen) for chosen in below]
        found: list[int] = []

        def descend(chosen: int, banned: int, room: int) -> None:
            if len(found) >= most or any(part & ~chosen == 0 for part in known):
                return
            self.left -= 1
            if self.left < 0:
                raise SearchBudget
            unmet = [cut for cut in self.cuts if not cut & chosen]
            if not unmet:
                if self.works(chosen):
                    if room == 0 and chosen not in found:
                        found.append(chosen)
                    return
                unmet = [cut for cut in self.cuts if not cut & chosen]
            if room == 0:
                return
            free = sorted((cut & ~banned for cut in unmet), key=int.bit_count)
            # Cuts that share no column need one each.
            used = needed = 0
            for cut in free:
                if not used & cut:
                    used |= cut
                    needed += 1
            if needed > room or not free[0]:
                return
            for column in _members(free[0]):
                descend(chosen | 1 << column, banned, room - 1)
                banned |= 1 << column

        descend(0, 0, size)
        # A set found on the way may have more columns than it needs: then a part of it works.
        return sorted(tuple(_members(chosen)) for chosen in found if self._is_minimal(chosen))

    def _is_minimal(self, chosen: int) -> bool:
        for column in _members(chosen):
            part = chosen & ~(1 << column)
            if all(cut & part for cut in self.cuts) and self.works(part):
                return False
        return True


def _members(chosen: int) -> list[int]:
    """The columns of a set given as bits."""
    return [column for column in range(chosen.bit_length()) if chosen >> column & 1]
