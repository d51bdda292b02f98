"""What goes wrong between here and the Hub, told in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class HubError(OSError):
    """Nothing was published, or not what was to be; the message says why and what to do."""


class TransientHubError(HubError):
    """The same call may well succeed in a moment: no connection, a timeout, or an answer of TRANSIENT."""


# 412: somebody else committed meanwhile; 422: an uploaded file arrived with another digest.
TRANSIENT = frozenset({408, 412, 422, 429, 500, 502, 503, 504})


@contextmanager
def hub_errors(doing: str) -> Iterator[None]:
    """Turns what huggingface_hub raises inside into a HubError that begins with `doing`.

    Raises:
        ValueError: a repository's name that the Hub would refuse.
        HubError: everything else that is the network's, the account's or the Hub's doing.
    """
    import huggingface_hub.errors as hub

    try:
        yield
    except HubError:
        raise
    except hub.HFValidationError as problem:
        raise ValueError(f"{doing}: {_line(problem)}") from None
    except hub.LocalTokenNotFoundError:
        raise HubError(f"{doing}: you are not logged in. {LOGIN}") from None
    except hub.OfflineModeIsEnabled:
        raise HubError(f"{doing}: HF_HUB_OFFLINE is set, so the Hub is not asked; unset it.") from None
    except Exception as problem:
        cause = problem
        while isinstance(cause, RuntimeError) and cause.__cause__ is not None:
            cause = cause.__cause__  # uploads wrap what happened to a file
        error = _described(cause, doing, hub)
        if error is None:
            raise
        raise error from problem


LOGIN = "Run `hf auth login`, or set HF_TOKEN to a token that may write."


def _described(problem: BaseException, doing: str, hub) -> HubError | None:
    if isinstance(problem, hub.HfHubHTTPError):
        status = getattr(problem.response, "status_code", None)
        if status == 401 and not isinstance(problem, hub.RepositoryNotFoundError):
            return HubError(f"{doing}: the Hub does not accept your token. {LOGIN}")
        if status == 403:
            said = getattr(problem, "server_message", None) or _line(problem)
            return HubError(f"{doing}: your token has no right to do that ({said.strip(' .')}). {LOGIN}")
        if isinstance(problem, hub.RepositoryNotFoundError):
            return HubError(f"{doing}: there is no such repository, or it is private and your token cannot see it.")
        if isinstance(problem, hub.RevisionNotFoundError):
            return HubError(f"{doing}: the repository has no such revision.")
        kind = TransientHubError if status in TRANSIENT else HubError
        return kind(f"{doing}: the Hub answered with an error ({_line(problem)}).")
    if isinstance(problem, hub.HTTPError | TimeoutError):  # below HTTP: connection, time-out, broken answer
        return TransientHubError(f"{doing}: the Hub cannot be reached ({type(problem).__name__}: {_line(problem)}).")
    if isinstance(problem, hub.LocalEntryNotFoundError):  # how downloads tell that there was no answer
        if problem.__cause__ is not None:
            return _described(problem.__cause__, doing, hub) or HubError(f"{doing}: {_line(problem)}")
        return TransientHubError(f"{doing}: the Hub cannot be reached ({_line(problem)}).")
    if isinstance(problem, OSError | ValueError):
        return HubError(f"{doing}: {_line(problem)}")
    return None


def _line(problem: BaseException) -> str:
    """What it says, in one line; of an HTTP error, the status and what the server said."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    said = getattr(problem, "server_message", None)
    if said is not None:
        lines = [*lines[:1], " ".join(said.split())]
    return ": ".join(line.strip(" .:-") for line in lines if line)[:500] or type(problem).__name__
