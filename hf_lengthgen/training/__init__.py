"""Training: configuration, loop, checkpoints, and the resumable run. Names are imported on first use."""

from ..lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "TrainingConfig": "arguments",
        "load_training_config": "arguments",
        "learning_rate_factor": "schedule",
        "penalty_weight": "schedule",
        "train": "loop",
        "Trained": "loop",
        "TrainingDiverged": "loop",
        "TrainingInterrupted": "signals",
        "CheckpointError": "checkpoints",
        "run": "run",
    },
)
