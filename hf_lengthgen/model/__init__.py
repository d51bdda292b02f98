"""All that travels to the Hub with a model. Registers the Auto classes, and has every save carry the code along."""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from .configuration_lengthgen import LengthGenConfig
from .modeling_lengthgen import LengthGenForCausalLM, LengthGenModel

AutoConfig.register("lengthgen", LengthGenConfig)
AutoModel.register(LengthGenConfig, LengthGenModel)
AutoModelForCausalLM.register(LengthGenConfig, LengthGenForCausalLM)
# Classes registered so have their code copied into the saved folder, for those without this package.
LengthGenConfig.register_for_auto_class()
LengthGenModel.register_for_auto_class("AutoModel")
LengthGenForCausalLM.register_for_auto_class("AutoModelForCausalLM")

__all__ = ["LengthGenConfig", "LengthGenForCausalLM", "LengthGenModel"]
