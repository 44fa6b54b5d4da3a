"""Steps 4 and 5: the best value lies at the edge of its range."""

from __future__ import annotations

from recipes.evidence.search import SearchEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.search.edges import AT_EDGE_OF_TOP, OUTER_SHARE, TOP, Edge
from recipes.search.summary import range_text, value_text
from recipes.space import Int
from recipes.words import listing

SOURCE = (
    "CS231n notes and tuning playbook, best points at the boundary; notes on diagnosis, row 44"
)


@rule("best_at_edge", Precedence.SEARCH)
def best_at_edge(evidence: SearchEvidence) -> Finding | None:
    """Beyond noise, the best lie in the outer tenth of a range that matters."""
    if not evidence.edges:
        return None
    growing = [edge for edge in evidence.edges if edge.wider is not None]
    held = [edge for edge in evidence.edges if edge.wider is None]
    sentences = [_sentence(edge) for edge in evidence.edges]
    if growing:
        sentences.append("A better value may lie beyond.")
    sentences += [
        f"The range of {edge.name} is hard, so the search stays inside it." for edge in held
    ]
    first = evidence.edges[0]
    return Finding(
        code="best_at_edge",
        severity=Severity.INFO if growing else Severity.WARNING,
        confidence=0.8,
        sentence=" ".join(sentences),
        evidence={
            "name": first.name,
            "side": first.side,
            "value": first.value,
            "low": float(first.range.low),
            "high": float(first.range.high),
            "hard": first.range.hard,
            "threshold_outer_share": OUTER_SHARE,
        },
        causes=(
            Cause(
                code="range_too_narrow",
                sentence="The best value lies outside the range.",
                confidence=0.75,
            ),
            Cause(code="chance", sentence="Luck put the best trial there.", confidence=0.2),
        ),
        action=_action(growing, held),
        source=SOURCE,
    )


def _sentence(edge: Edge) -> str:
    value = value_text(edge.name, int(edge.value) if isinstance(edge.range, Int) else edge.value)
    end = f"at the {edge.side} end of its range ({range_text(edge.range)})"
    if edge.is_best:
        return f"The best {edge.name}, {value}, lies {end}."
    return (
        f"{AT_EDGE_OF_TOP} of the best {TOP} trials have {edge.name} {end}, the better one at "
        f"{value}."
    )


def _action(growing: list[Edge], held: list[Edge]) -> str:
    if growing:
        parts = [
            f"{edge.name} to {range_text(edge.wider)}"
            for edge in growing
            if edge.wider is not None
        ]
        return f"Extend {listing(parts)} and search there too."
    names = listing([edge.name for edge in held])
    return f"If the limit allows it, widen the range of {names} in the task and search again."
