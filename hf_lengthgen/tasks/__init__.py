"""Tasks: samplers of synthetic problems whose size, the *scale*, is a parameter."""

from .registry import get_task, list_tasks, register_task
from .task import Samples, Task, TaskConfig

__all__ = ["Samples", "Task", "TaskConfig", "get_task", "list_tasks", "register_task"]
