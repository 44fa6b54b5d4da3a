from __future__ import annotations

import pytest
import torch
from torch import nn

from recipes.trial import TrialCause
from worker.describe.errors import MAX_MESSAGE, MAX_TRACEBACK, raised
from worker.training.failures import cause_of, describe_failure, has_lost_device

DEVICE_ERROR: type[RuntimeError] = getattr(torch, "AcceleratorError", RuntimeError)


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
        DEVICE_ERROR("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_memory_is_recognised(error: Exception) -> None:
    assert cause_of(error) is TrialCause.OUT_OF_MEMORY
    assert not has_lost_device(error)


def test_anything_else_is_an_error() -> None:
    assert cause_of(RuntimeError("shape mismatch")) is TrialCause.ERROR
    assert cause_of(ValueError("out of memory of names")) is TrialCause.ERROR


@pytest.mark.parametrize("kind", [DEVICE_ERROR, RuntimeError])
@pytest.mark.parametrize(
    "what", ["device-side assert triggered", "an illegal memory access was encountered"]
)
def test_a_lost_gpu_is_recognised(kind: type[RuntimeError], what: str) -> None:
    assert has_lost_device(kind(f"CUDA error: {what}\nCompile with `TORCH_USE_CUDA_DSA`"))


def test_an_error_after_which_the_gpu_still_works_is_no_loss_of_it() -> None:
    assert not has_lost_device(RuntimeError("CUDA error: CUBLAS_STATUS_INVALID_VALUE when"))
    assert not has_lost_device(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not has_lost_device(ValueError("CUDA error: none"))


def test_words_of_any_length_travel_by_their_beginning_and_end() -> None:
    failure = ValueError(f"begins {'x' * 5_000_000} ends")
    told = describe_failure(failure)
    problem = raised(failure, "it raised", cure="do not", file=None).problem

    assert told.startswith("ValueError: begins xxx")
    assert told.endswith("xxx ends")
    assert len(told) < 1.1 * MAX_MESSAGE
    assert len(problem.message) < 1.1 * MAX_MESSAGE
    assert len(problem.traceback or "") <= MAX_TRACEBACK
