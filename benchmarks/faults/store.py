"""Training kept on disk: what was trained once with the same code and seeds is read back.

The key of a training is a digest of the code it went through (the trainer, the base task,
the fault's family), of the task's identity and of the run spec. Rules are no part of it:
when a rule changes, the bench is judged anew from what is kept, and only what the changed
rule asks for beyond that is trained.
"""

from __future__ import annotations

import ast
import base64
import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from recipes.curve import Curve, CurveKey
from recipes.outcome import MemberOutcome
from recipes.run import RunSpec

ROOT = Path(__file__).resolve().parents[2]
TRAINER = ("worker/training", "worker/data", "recipes/run.py", "recipes/seeds.py")
"""What a training's numbers follow from, beside the task and the fault."""

OWN = ("tasks/base.py", "tasks/networks.py", "tasks/sources.py", "watch.py")


@dataclass
class Kept:
    """One member's training.

    Attributes:
        snapshot: Its best weights, if the run kept them.
        tensors: What an onlooker saw of its tensors (``watch``).
    """

    outcome: MemberOutcome
    curves: dict[CurveKey, Curve]
    snapshot: bytes | None = None
    tensors: list[dict[str, Any]] = field(default_factory=list)

    def dump(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "outcome": self.outcome.model_dump(mode="json"),
            "curves": [
                [*key, curve.iterations, curve.values] for key, curve in self.curves.items()
            ],
            "snapshot": None
            if self.snapshot is None
            else base64.b64encode(self.snapshot).decode(),
            "tensors": self.tensors,
        }

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Kept:
        """Back from ``dump``."""
        snapshot = stored["snapshot"]
        return cls(
            MemberOutcome.model_validate(stored["outcome"]),
            {
                (metric, split): Curve(tuple(iterations), tuple(values))
                for metric, split, iterations, values in stored["curves"]
            },
            None if snapshot is None else base64.b64decode(snapshot),
            stored["tensors"],
        )


class Store:
    """A folder of trainings by key. Safe for several processes: a file is put in place whole.

    Args:
        folder: Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.num_trained = 0
        self.num_read = 0

    def read(self, key: str) -> list[Kept] | None:
        """What was kept under a key; None when nothing was."""
        path = self._path(key)
        if not path.exists():
            return None
        self.num_read += 1
        return [Kept.load(each) for each in json.loads(gzip.decompress(path.read_bytes()))]

    def write(self, key: str, members: Iterable[Kept]) -> None:
        """Keep the members of a run."""
        self.num_trained += 1
        path = self._path(key)
        path.parent.mkdir(exist_ok=True)
        # Infinity and NaN among the curves: Python's own JSON reads what it writes.
        content = json.dumps([each.dump() for each in members]).encode()
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(gzip.compress(content, compresslevel=5, mtime=0))
        partial.replace(path)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json.gz"


def training_key(identity: str, code: str, run: RunSpec, inputs: Iterable[bytes]) -> str:
    """The key of a training; trial numbers are names and no part of it.

    Args:
        identity: The task's.
        code: Digest of its code.
        run: The run spec.
        inputs: Snapshots that the run begins with.
    """
    spec = run.model_dump(mode="json")
    for number, member in enumerate(spec["members"]):
        member["trial"] = number
        member["snapshots"] = []
    digests = [hashlib.sha256(each).hexdigest() for each in inputs]
    text = json.dumps([identity, code, spec, digests], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_digest(*modules: str) -> str:
    """Of the trainer's code and of some modules', by their dotted names."""
    here = Path(__file__).parent
    files = {ROOT / f"{name.replace('.', '/')}.py" for name in modules}
    files |= {here / name for name in OWN}
    return digest_of([*files, *(ROOT / name for name in TRAINER)], read=_what_runs)


@cache
def rules_digest() -> str:
    """Of the code that judges: when it changes, findings are made anew."""
    here = Path(__file__).parent
    parts = [ROOT / "recipes", ROOT / "worker/describe", here / "peers"]
    return digest_of([*parts, *here.glob("*.py"), here.parents[1] / "tests/whole_study.py"])


def digest_of(paths: Iterable[Path], read: Callable[[Path], bytes] = Path.read_bytes) -> str:
    """Of files' contents and of all Python files of folders, in order of their names.

    Args:
        read: What of a file counts.
    """
    files: set[Path] = set()
    for path in paths:
        files |= set(path.rglob("*.py")) if path.is_dir() else {path}
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(ROOT)}\n".encode() + read(file))
    return digest.hexdigest()


def _what_runs(file: Path) -> bytes:
    """A module's code without comments, docstrings and the faults' decorators.

    What a good diagnosis of a fault says stands in its decorator: no number of a training
    follows from it.
    """
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            continue
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = [each for each in node.decorator_list if not _is_fault(each)]
    return ast.unparse(tree).encode()


def _is_fault(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id == "fault"
