"""A fault: how it is put into a healthy task, and what a good diagnosis of it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.faults.tasks.base import BenchTask
from recipes.space import ParameterValue

Severity = Literal["mild", "severe"]
Setting = dict[str, ParameterValue]


@dataclass(frozen=True)
class Draw:
    """What a fault may use: how bad it is to be, and a seed for what it draws.

    Attributes:
        setting: The run's setting, which a fault in the setting changes in place.
    """

    severity: Severity
    seed: int
    setting: Setting

    def pick(self, *, mild: float, severe: float) -> float:
        """The number for the severity."""
        return mild if self.severity == "mild" else severe


Mutation = Callable[[BenchTask, Draw], None]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: Unique.
        row: Of the taxonomy.
        codes: A right diagnosis has at least one of these as warning or error (``least``).
        also: Codes that are true beside it, because they follow from it: not held against a
            diagnosis, and no answer either.
        causes: Cause codes that name it, where a code is a symptom with several causes.
        severities: Those it comes in; without a degree it is severe.
        kinds: Kinds of task it applies to; empty: all.
        traits: Traits a task must have.
        without: Traits it must not have.
        epochs: Factor on the run's epochs.
        is_info: Whether a finding of severity ``info`` answers it already.
    """

    name: str
    row: int
    mutate: Mutation
    codes: frozenset[str]
    also: frozenset[str] = frozenset()
    causes: frozenset[str] = frozenset()
    severities: tuple[Severity, ...] = ("mild", "severe")
    kinds: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    epochs: float = 1.0
    is_info: bool = False

    @property
    def family(self) -> str:
        """The module it is defined in."""
        return self.mutate.__module__

    def applies_to(self, task: type[BenchTask]) -> bool:
        """Whether it can be put into a base task."""
        return (
            (not self.kinds or task.kind in self.kinds)
            and self.traits <= task.traits
            and not self.without & task.traits
        )


_registered: dict[str, Fault] = {}


def fault(
    row: int,
    *codes: str,
    also: tuple[str, ...] = (),
    causes: tuple[str, ...] = (),
    only: tuple[Severity, ...] = ("mild", "severe"),
    kinds: tuple[str, ...] = (),
    traits: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    epochs: float = 1.0,
    is_info: bool = False,
) -> Callable[[Mutation], Mutation]:
    """Register a mutation under its function's name; the arguments are ``Fault``'s.

    Raises:
        ValueError: A second fault of that name.
    """

    def register(mutate: Mutation) -> Mutation:
        name = mutate.__name__
        if name in _registered:
            raise ValueError(f"there is a fault {name!r} already; choose another name")
        _registered[name] = Fault(
            name=name,
            row=row,
            mutate=mutate,
            codes=frozenset(codes),
            also=frozenset(also),
            causes=frozenset(causes),
            severities=only,
            kinds=frozenset(kinds),
            traits=frozenset(traits),
            without=frozenset(without),
            epochs=epochs,
            is_info=is_info,
        )
        return mutate

    return register


def all_faults() -> Mapping[str, Fault]:
    """Every fault by name, in order of the taxonomy."""
    import importlib
    import pkgutil

    from benchmarks.faults import families

    for module in pkgutil.iter_modules(families.__path__):
        importlib.import_module(f"{families.__name__}.{module.name}")
    return dict(sorted(_registered.items(), key=lambda item: (item[1].row, item[0])))
