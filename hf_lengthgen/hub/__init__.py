"""The Hub: model cards, publishing, verifying and loading. Names are loaded when first used."""

from __future__ import annotations

import importlib

_NAMES = {
    "render_card": "card",
    "push": "publish",
    "push_dataset": "publish",
    "verify": "verification",
    "load": "loading",
    "HubError": "errors",
    "VerifyError": "verification",
}

__all__ = [*_NAMES]


def __getattr__(name: str):
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)


def __dir__():
    return sorted(__all__)
