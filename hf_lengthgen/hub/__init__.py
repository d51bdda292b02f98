"""The Hub: model cards, publishing, verifying and loading. Names are loaded when first used."""

from ..lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "render_card": "card",
        "push": "publish",
        "push_dataset": "publish",
        "verify": "verification",
        "load": "loading",
        "HubError": "errors",
        "VerifyError": "folder_files",
    },
)
