"""Words of the command line that a command does not know."""


def nothing_more(rest: list[str]) -> None:
    """ValueError unless nothing is left."""
    if rest:
        raise ValueError(f"unknown argument {rest[0]!r}.")
