from __future__ import annotations

import pytest
import torch
from torch import nn

from recipes.trial import TrialCause
from worker.training.failures import cause_of, describe_failure


def raised_by(function: object) -> Exception:
    with pytest.raises(Exception) as caught:  # any: that is the point
        function()  # type: ignore[operator]
    return caught.value


def test_the_users_line_is_named_not_the_librarys() -> None:
    error = raised_by(lambda: nn.Linear(3, 2)(torch.zeros(4, 5)))
    message = describe_failure(error)

    assert message.startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert "test_failures.py:" in message
    assert "site-packages" not in message


def test_an_error_without_users_code_has_its_text_alone() -> None:
    assert describe_failure(ValueError("wrong")) == "ValueError: wrong"
    assert describe_failure(KeyError()) == "KeyError"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("CUDA error: out of memory"),
    ],
)
def test_memory_is_recognised(error: Exception) -> None:
    assert cause_of(error) is TrialCause.OUT_OF_MEMORY


def test_anything_else_is_an_error() -> None:
    assert cause_of(RuntimeError("shape mismatch")) is TrialCause.ERROR
    assert cause_of(ValueError("out of memory of names")) is TrialCause.ERROR
