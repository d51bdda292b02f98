"""Evaluation: exact match per length, its statistics, the result file, figure and table.

Names are imported when first used: results, figures and tables need no torch.
"""

from ..lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "ExactMatchByLength": "evaluate_metrics",
        "FinalAnswerAccuracy": "evaluate_metrics",
        "LengthResult": "length_result",
        "Result": "result",
        "TokenAccuracy": "evaluate_metrics",
        "bootstrap": "statistics",
        "effective_length": "statistics",
        "effective_lengths": "statistics",
        "evaluate_lengths": "lengths",
        "extrapolation_area": "statistics",
        "extrapolation_factor": "statistics",
        "final_accuracy": "answers",
        "length_grid": "length_grid",
        "make_curves": "curves",
        "markdown_table": "report",
        "plot_curves": "plot",
        "step_accuracy": "answers",
        "t_interval": "statistics",
        "wilson": "statistics",
    },
)
