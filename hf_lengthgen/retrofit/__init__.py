"""A Scale Hint and learned relations for checkpoints that people already have.

    model = retrofit(AutoModelForCausalLM.from_pretrained(…), scale_hint="input")

Importing this package makes transformers' Auto classes know `lengthgen_retrofit`.
"""

import sys
from types import ModuleType

from transformers import AutoConfig, AutoModelForCausalLM

from .attach import retrofit
from .configuration_retrofit import RetrofitConfig
from .modeling_retrofit import RetrofitForCausalLM

AutoConfig.register("lengthgen_retrofit", RetrofitConfig, exist_ok=True)
AutoModelForCausalLM.register(RetrofitConfig, RetrofitForCausalLM, exist_ok=True)


class _Callable(ModuleType):
    """`hf_lengthgen.retrofit` is the name of this package and of the function: called, the package is the function."""

    def __call__(self, *args, **kwargs):
        return retrofit(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable

__all__ = ["RetrofitConfig", "RetrofitForCausalLM", "retrofit"]
