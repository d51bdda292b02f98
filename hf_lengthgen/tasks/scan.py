"""Commands and what they make one do, in the manner of SCAN (arXiv 1711.00350), in a grammar of our own."""

import re

import numpy as np

from .ragged import RaggedTask, fill_ragged
from .task import Characters, assemble, character_codes

_CLAUSE = re.compile("([wljr])(?:([oa]?)([<>]))?([23]?)")


class Scan(RaggedTask):
    """carry out a command of n characters: "j>2&w=" -> ">j>jw", "l%jo<=" -> "<<jl".

    A clause is a verb (w, l, j, r), then perhaps a direction (< or >: turn and act; after "o", opposite: turn twice
    and act; after "a", around: turn and act four times), then perhaps 2 or 3, how often. Clauses are joined from left
    to right by "&" (and then) and "%" (after: the new clause comes before everything so far).

    In SCAN a command has at most two clauses; here it has as many as fit. Hard rows have long clauses and mostly "%".
    The longest answers have 24 characters for every 5 of the command.
    """

    name = "scan"
    vocabulary = "wljr<>oa23&%="
    src_verdict = "growing: where a clause stands in the answer depends on all clauses, of many lengths each."

    def longest(self, scale: tuple[int, ...]) -> int:
        full, rest = divmod(scale[0] + 1, 5)
        return 24 * full + (0, -15, 1, 3, 8)[rest]  # "wa<3" and a joint make five

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, count = scale[0], len(hard)
        row = np.arange(count)
        codes = np.zeros((count, n + 2), dtype=np.uint8)  # what finished rows write lands beyond n
        start = np.zeros(count, dtype=np.int64)
        verbs, signs = character_codes("wljr"), character_codes("<>")
        clauses = []
        for number in range((n + 1) // 2):
            active = start < n
            size = np.where(active, _draw_size(n - start, hard, rng), 0)
            verb, sign, around, thrice, shape = (
                rng.integers(0, most, size=count, dtype=np.uint8) for most in (4, 2, 2, 2, 2)
            )
            after = rng.random(count) < np.where(hard, 0.8, 0.5)
            # The four parts of a clause: verb, "o" or "a", direction, number. `shape` settles which ones of two.
            modified = (size == 4) | ((size == 3) & (shape == 0))
            turned = (size >= 3) | ((size == 2) & (shape == 0))
            repeated = (size == 4) | ((size >= 2) & (shape == 1))
            place = np.where(active, start, n + 1)
            if number:
                codes[row, place - 1] = np.where(after, ord("%"), ord("&"))
            parts = (
                (size > 0, verbs[verb]),
                (modified, character_codes("oa")[around]),
                (turned, signs[sign]),
                (repeated, character_codes("23")[thrice]),
            )
            for present, characters in parts:
                codes[row, np.where(present, place, n + 1)] = characters
                place = place + present
            turns = np.where(turned, np.where(modified & (around == 0), 2, 1), 0)
            times = np.where(modified & (around == 1), 4, 1) * np.where(repeated, 2 + thrice, 1)
            clauses.append((verbs[verb], signs[sign], turns, (turns + 1) * times * active, after & (number > 0)))
            start = start + size + 1
        verb, sign, turns, lengths, after = (np.stack(part, axis=1) for part in zip(*clauses, strict=True))
        return assemble(codes[:, :n], "="), _answers(verb, sign, turns, lengths, after)

    def solve(self, text: str) -> str:
        done = ""
        # A "%" in front of the first clause changes nothing, and makes all clauses alike.
        for joint, clause in re.findall("([&%])([^&%]*)", "%" + text):
            match = _CLAUSE.fullmatch(clause)
            if match is None:
                raise ValueError(f"{clause!r} in {text[:40]!r} is no clause, such as 'w', 'j<', 'l3', 'ro>2'")
            verb, manner, direction, times = match.groups()
            act = (direction or "") + verb
            act = {"o": (direction or "") + act, "a": 4 * act}.get(manner or "", act) * int(times or 1)
            done = act + done if joint == "%" else done + act
        return done


def _draw_size(left: np.ndarray, hard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sizes of the next clauses, 1 to 4, that leave nothing or room for a joint and a clause: (count,)."""
    sizes = np.arange(1, 5)
    rest = left[:, None] - sizes
    fits = (rest == 0) | (rest >= 2)
    lot = rng.random((len(left), 4))
    lot[hard & (rng.random(len(left)) < 0.5)] = sizes  # the longest that fits
    return sizes[np.where(fits, lot, -1).argmax(axis=1)]


def _answers(
    verb: np.ndarray, sign: np.ndarray, turns: np.ndarray, lengths: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """What the clauses, (count, clauses) each, make one do: uint8, (count, longest)."""
    number = np.arange(verb.shape[1])
    order = np.argsort(np.where(after, -number, number), axis=1)  # each "%" puts its clause in front of all before
    verb, sign, turns, lengths = (np.take_along_axis(part, order, axis=1) for part in (verb, sign, turns, lengths))
    # One clause after the other, over all rows: which one each character belongs to, and its place therein.
    flat = lengths.ravel()
    clause = np.repeat(np.arange(flat.size), flat)
    place = np.arange(len(clause)) - np.repeat(flat.cumsum() - flat, flat)
    turn = place % (turns.ravel()[clause] + 1) < turns.ravel()[clause]
    characters = np.where(turn, sign.ravel()[clause], verb.ravel()[clause])
    totals = lengths.sum(axis=1)
    starts = totals.cumsum() - totals
    return fill_ragged(totals, lambda row, place: characters[starts[row] + place])
