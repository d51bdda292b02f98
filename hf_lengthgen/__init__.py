"""Length generalization for the Hugging Face ecosystem, after arXiv 2510.04130.

Names are loaded when first used: importing this package alone imports neither torch nor transformers. The first use of
a model's name (such as `hf_lengthgen.LengthGenForCausalLM`) also makes transformers' Auto classes know `lengthgen`.
"""

from .lazy import lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "LengthGenConfig": "model.configuration_lengthgen",
        "LengthGenModel": "model.modeling_lengthgen",
        "LengthGenForCausalLM": "model.modeling_lengthgen",
        "PositionEmbedding": "model.position_base",
        "list_position_embeddings": "model.position_registry",
        "register_position_embedding": "model.position_registry",
        "LinearRelation": "model.relation",
        "ScaleHintError": "model.scale_hint",
        "Task": "tasks.task",
        "get_task": "tasks.registry",
        "list_tasks": "tasks.registry",
        "register_task": "tasks.registry",
        "load_dataset": "data.load_dataset",
        "build_tokenizer": "data.tokenizer",
        "evaluate_lengths": "evaluation.lengths",
        "retrofit": "retrofit",
        "RetrofitConfig": "retrofit.configuration_retrofit",
        "RetrofitForCausalLM": "retrofit.modeling_retrofit",
    },
)
__all__.append("__version__")  # the list is also what dir() gives
