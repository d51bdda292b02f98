"""All that travels to the Hub with a model. Registers the Auto classes."""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from .configuration_lengthgen import LengthGenConfig
from .modeling_lengthgen import LengthGenForCausalLM, LengthGenModel

AutoConfig.register("lengthgen", LengthGenConfig)
AutoModel.register(LengthGenConfig, LengthGenModel)
AutoModelForCausalLM.register(LengthGenConfig, LengthGenForCausalLM)

__all__ = ["LengthGenConfig", "LengthGenForCausalLM", "LengthGenModel"]
