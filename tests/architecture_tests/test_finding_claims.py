"""What the findings' pages claim is what the rules do: thresholds, and the sentences quoted."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from recipes.evidence.sufficiency import NEEDS
from recipes.rules.registry import all_rules
from tests.architecture_tests.repository import ROOT, section

PAGES = ROOT / "docs" / "findings"
RULES = all_rules()
CODES = sorted({rule.code for rule in RULES})
NEEDED = "recipes/evidence/sufficiency.py"
"""Where the fewest epochs and points of each code stand, in a table rather than as constants."""

IN_THE_CODE = re.compile(
    r"^\*\*In the code\.\*\*(?P<text>.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL
)
IN_BACKTICKS = re.compile(r"`([^`]+)`")
PRECISION = 2e-3
"""Relative: pages write three digits, as 0.693 for ln 2."""

SHARED_WORDING = (
    "recipes/words.py",
    "recipes/metric.py",
    NEEDED,
    "recipes/readings.py",
    "recipes/rules/impairment.py",
    "recipes/rules/overfit_causes.py",
    *(str(path.relative_to(ROOT)) for path in (ROOT / "recipes/experiments").glob("*.py")),
)
"""What adds to a rule's sentence, beside the rule's own module."""

FROM_TEMPLATES = 0.8
"""Share of a quotation's words that a template must hold. The others are filled in: names of
hyperparameters and layers, "and" between them."""


def modules_of(code: str) -> set[str]:
    return {rule.check.__module__ for rule in RULES if rule.code == code}


def claims_of(code: str) -> dict[str, dict[str, Any]]:
    """What a page says of the code: values by name, by file."""
    found = IN_THE_CODE.search(section(PAGES / f"{code}.md", "## How Sevenstep decides"))
    assert found, f"{code}: the page does not name the rule's module"
    claims: dict[str, dict[str, Any]] = {}
    values: dict[str, Any] = {}
    for quoted in IN_BACKTICKS.findall(" ".join(found["text"].split())):
        name, equals, value = quoted.partition(" = ")
        if equals:
            values[name] = ast.literal_eval(value)
        else:
            values = claims.setdefault(quoted, {})
    return claims


def constants_in(module: str) -> Iterator[str]:
    """Names of the numbers that a module sets as its constants."""
    there = importlib.import_module(module)
    for statement in ast.parse((ROOT / file_of(module)).read_text()).body:
        if isinstance(statement, ast.Assign):
            names = (each.id for each in statement.targets if isinstance(each, ast.Name))
            yield from (name for name in names if is_number(getattr(there, name)))


def is_number(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(map(is_number, value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def file_of(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


@pytest.mark.parametrize("code", CODES)
def test_thresholds_on_a_page_are_the_rules(code: str) -> None:
    for file, values in claims_of(code).items():
        there: object = NEEDS.get(code) if file == NEEDED else None
        there = there or importlib.import_module(file.removesuffix(".py").replace("/", "."))
        for name, value in values.items():
            assert value == pytest.approx(getattr(there, name), rel=PRECISION), f"{file}: {name}"


@pytest.mark.parametrize("code", CODES)
def test_no_threshold_of_a_rule_is_left_out(code: str) -> None:
    claims = claims_of(code)
    for module in modules_of(code):
        missing = set(constants_in(module)) - claims.get(file_of(module), {}).keys()
        assert file_of(module) in claims
        assert not missing, f"docs/findings/{code}.md does not give {sorted(missing)} of {module}"
    need = NEEDS.get(code)
    wanted = {name for name in ("epochs", "points") if need is not None and getattr(need, name)}
    assert claims.get(NEEDED, {}).keys() == wanted


def test_thresholds_were_found() -> None:
    assert claims_of("overfitting")["recipes/rules/overfitting.py"]["WARN_GAP"] == 0.05
    assert "WARN_GAP" in set(constants_in("recipes.rules.overfitting"))


@pytest.mark.parametrize("code", CODES)
def test_a_quoted_sentence_is_made_from_the_rules_templates(code: str) -> None:
    quotation = " ".join(
        re.findall(r"^> ?(.+)$", (PAGES / f"{code}.md").read_text(), re.MULTILINE)
    )
    covered = [False] * len(quotation)
    for template in templates_of(code):
        for found in re.finditer(re.escape(template), quotation):
            covered[found.start() : found.end()] = [True] * len(template)
    # Without the "s" that makes a plural; "0.weight" is a parameter, and no word.
    words = list(re.finditer(r"(?<![\w.])[A-Za-z]{3,}?(?=s?\b)", quotation))
    foreign = [word.group() for word in words if not all(covered[slice(*word.span())])]
    assert len(words) > 5
    assert len(foreign) <= (1 - FROM_TEMPLATES) * len(words), f"no template has {foreign}"


def test_a_sentence_of_other_words_is_no_quotation() -> None:
    assert any("Overfitting:" in template for template in templates_of("overfitting"))
    assert not any("Overfitting:" in template for template in templates_of("healthy"))


@cache
def templates_of(code: str) -> frozenset[str]:
    """The texts that a code's sentences are put together from, and other codes as words."""
    files = {file_of(module) for module in modules_of(code)} | {*SHARED_WORDING}
    texts = {each for file in files for each in strings_in(file)}
    spoken = {each.replace("_", " ") for each in CODES}
    stripped = {each.strip() for each in texts} | spoken
    return frozenset(each for each in stripped if " " in each or len(each) > 3)


@cache
def strings_in(file: str) -> frozenset[str]:
    nodes = ast.walk(ast.parse((ROOT / file).read_text()))
    found = (each.value for each in nodes if isinstance(each, ast.Constant))
    return frozenset(value for value in found if isinstance(value, str))
