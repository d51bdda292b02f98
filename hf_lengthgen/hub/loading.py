"""A model from a folder or the Hub without trusting its code: verified first, then loaded by this package's classes.

`load` verifies whatever it is given. For folders that were made here, such as those of runs, whose code may be older
than this package and beside which notes may lie, `load_folder` refuses only what could run code when it is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import model_folder
from .verification import check_loadable, verify


def load(place: str, revision: str | None = None, *, token: str | None = None, **options: Any) -> tuple[Any, Any]:
    """Model (in evaluation mode) and tokenizer. Of a retrofit saved as additions alone, the base is loaded by its name,
    as `from_pretrained` does, and is not verified.

    Args:
        place: a folder, or "OWNER/NAME" on the Hub.
        revision: branch, tag or commit on the Hub; a commit never changes.
        token: None: the one that is logged in.
        **options: for `from_pretrained`, such as `dtype` or `device_map`.

    Raises:
        VerifyError: the place is refused; nothing of it was imported.
        HubError: it cannot be had.
        ValueError: options that would run the repository's own code; no tokenizer.
    """
    if options.get("trust_remote_code"):
        raise ValueError("hub.load never runs a repository's code: leave out trust_remote_code.")
    if revision and Path(place).exists():
        raise ValueError(f"{place} is a folder here, which has no revision {revision!r}.")
    verified = verify(f"{place}@{revision}" if revision else str(place), token=token)
    from transformers import AutoTokenizer

    from .verify_retrofit import VerifiedRetrofit

    if not (verified.folder / "tokenizer_config.json").is_file():
        raise ValueError(f"{place} has no tokenizer: save that of its base beside it (tokenizer.save_pretrained).")
    if isinstance(verified, VerifiedRetrofit):
        from ..retrofit import RetrofitForCausalLM
        from ..retrofit.lora import FOLDER

        if (verified.folder / FOLDER).is_dir():
            raise ValueError(
                f"{place} has a LoRA beside its additions, which belongs into the base: put it there with "
                f"hf_lengthgen.retrofit.lora.load_lora(base, FOLDER / {FOLDER!r}), then load the additions with "
                f"RetrofitForCausalLM.from_pretrained(FOLDER, base=base)."
            )
        model = RetrofitForCausalLM.from_pretrained(verified.folder, use_safetensors=True, **options).eval()
    else:
        from ..model.modeling_lengthgen import LengthGenForCausalLM
        from ..training.saving import complete_model

        try:
            model = complete_model(LengthGenForCausalLM, verified.folder, **options)
        except ValueError as problem:
            raise ValueError(f"The model of {place} cannot be loaded: {problem}") from None
    return model, AutoTokenizer.from_pretrained(verified.folder, trust_remote_code=False)


def find_folder(place: str | Path) -> Path:
    """The folder of a model: `place`, `place`/model of a run, or that of "OWNER/NAME" or "OWNER/NAME@REVISION" on the
    Hub, verified and downloaded.

    Raises: what `load` raises.
    """
    return model_folder(Path(place)) if Path(place).exists() else verify(str(place)).folder


def load_folder(folder: Path) -> tuple[Any, Any]:
    """Model (evaluation mode, on the GPU if there is one) and tokenizer of a folder here, by this package's classes.

    Raises:
        VerifyError: reading it could run code.
        ValueError: a damaged or incomplete folder, or a foreign model.
    """
    from ..training.saving import load_weights

    check_loadable(folder)
    return load_weights(folder)
