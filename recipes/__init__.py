"""The method: seven steps, their plans and verdicts, as pure functions.

A task file needs these names and nothing else of ours.
"""

from recipes.space import Categorical, Float, Int, SearchSpace
from recipes.task import Task

__all__ = ["Categorical", "Float", "Int", "SearchSpace", "Task"]
