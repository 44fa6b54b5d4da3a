"""How rules are found and asked: one decorator, one function.

A rule is a function from one kind of evidence to a finding or None, in a module of this
package. Nothing else has to be told about it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar, get_type_hints

from recipes import rules
from recipes.confidence import with_confidence
from recipes.finding import Finding

Evidence = TypeVar("Evidence")


class Precedence(IntEnum):
    """Which finding comes first when several hold (notes on precedence: method.md, step 6).

    A cause comes before what it brings about: bad data before a bad loss, a fault found
    by a probe before a curve that does not fall.
    """

    DATA = 1
    NON_FINITE = 2
    DIVERGED = 3
    PROBE = 4
    INTERNALS_AT_START = 5
    INITIAL_LOSS = 6
    NO_LEARNING = 7
    LEARNING_RATE = 8
    INTERNALS = 9
    NOISE = 10
    FIT = 11
    SEARCH = 12
    NOTE = 13


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its code, its place among the others, and its check."""

    code: str
    precedence: Precedence
    evidence: type
    check: Callable[[Any], Finding | None]


_registered: list[Rule] = []


def rule(
    code: str, precedence: Precedence
) -> Callable[[Callable[[Evidence], Finding | None]], Callable[[Evidence], Finding | None]]:
    """Register a check for the kind of evidence that its one argument is annotated with."""

    def register(
        check: Callable[[Evidence], Finding | None],
    ) -> Callable[[Evidence], Finding | None]:
        parameter = next(iter(inspect.signature(check).parameters))
        evidence = get_type_hints(check)[parameter]
        remembered = _once(check)
        _registered.append(Rule(code, precedence, evidence, remembered))
        return remembered

    return register


def _once(check: Callable[[Evidence], Finding | None]) -> Callable[[Evidence], Finding | None]:
    """The check, made once for an evidence that keeps what it computed (without slots).

    Rules ask each other; evidence does not change. Its score becomes a confidence here.
    """

    def told(evidence: Evidence) -> Finding | None:
        finding = check(evidence)
        return None if finding is None else with_confidence(finding)

    @functools.wraps(check)
    def remembered(evidence: Evidence) -> Finding | None:
        kept: dict[str, Any] | None = getattr(evidence, "__dict__", None)
        if kept is None:
            return told(evidence)
        found: dict[Any, Finding | None] = kept.setdefault("_found", {})
        if check not in found:
            found[check] = told(evidence)
        return found[check]

    return remembered


@functools.cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of this package, in order of precedence."""
    for module in pkgutil.iter_modules(rules.__path__):
        importlib.import_module(f"{rules.__name__}.{module.name}")
    return tuple(sorted(_registered, key=lambda each: (each.precedence, each.code)))


def findings(evidence: object) -> tuple[Finding, ...]:
    """What every rule for this kind of evidence finds: errors first, then by precedence."""
    found = [
        finding
        for each in all_rules()
        if each.evidence is type(evidence) and (finding := each.check(evidence)) is not None
    ]
    order = {"error": 0, "warning": 1, "info": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.severity]))
