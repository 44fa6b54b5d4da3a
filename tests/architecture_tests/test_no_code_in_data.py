"""Nothing that is loaded here can run code: no pickles, in whatever library's clothes."""

import ast
from pathlib import Path

import pytest

from tests.architecture_tests.repository import ROOT, modules

FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNPICKLING = {
    ("torch", "load"): "weights_only",
    ("np", "load"): "allow_pickle",
    ("numpy", "load"): "allow_pickle",
}
SAFE = {"weights_only": True, "allow_pickle": False}
"""torch.load and numpy.load unpickle unless told not to; torch's default changed with 2.6."""
CALLS = {("pd", "read_pickle"), ("pandas", "read_pickle"), ("yaml", "load"), ("torch", "hub")}


def unsafe(tree: ast.AST) -> list[str]:
    """What of a module could run code that stands in data."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if node.module == "torch" and any(alias.name == "load" for alias in node.names):
                found.append("from torch import load")
        else:
            names = []
        found += [name for name in names if name.partition(".")[0] in FORBIDDEN_MODULES]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            call = (owner.id if isinstance(owner, ast.Name) else "", node.func.attr)
            if call in CALLS:
                found.append(".".join(call))
            if (option := UNPICKLING.get(call)) and not any(
                keyword.arg == option
                and isinstance(keyword.value, ast.Constant)
                and keyword.value.value is SAFE[option]
                for keyword in node.keywords
            ):
                found.append(f"{'.'.join(call)} without {option}={SAFE[option]}")
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_unpickles(path: Path) -> None:
    assert unsafe(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "np.load(path)",
        "from torch import load",
        "pd.read_pickle(path)",
    ],
)
def test_what_would_be_found(text: str) -> None:
    assert unsafe(ast.parse(text))


def test_what_is_allowed() -> None:
    assert (
        unsafe(ast.parse("torch.load(p, weights_only=True); np.load(p, allow_pickle=False)")) == []
    )
