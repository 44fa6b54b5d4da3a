"""A task's file: loading it as a module, and the files its code is made of."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import linecache
import sys
from pathlib import Path
from types import ModuleType

import recipes
from worker.describe.errors import TaskError, describe_exception, raised, task_error

OUR_NAMES = ("service", "worker", "recipes", "migrations")
"""Our own top-level packages, installed under these literal names."""


def load_file(file: Path) -> ModuleType:
    """The module a task file makes, under a private name.

    The file's folder goes to the end of the module path, so that the task may import its
    neighbours and can never take the place of an installed package. The name depends on
    the file's contents: an edited file is a new module.

    Raises:
        TaskError: The file cannot be read or does not import, or its folder holds a
            module with the name of one of our packages.
    """
    file = file.expanduser().absolute()
    _check_readable(file)
    _check_clash(file.parent)
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    content = file.read_bytes()
    name = f"_sevenstep_task_{hashlib.sha256(str(file).encode() + content).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    linecache.checkcache(str(file))
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses and pickle look it up there
    try:
        # Not by the spec's loader: that may run bytecode of a file edited within the second.
        exec(compile(content, str(file), "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise import_problem(error, str(file)) from error
    return module


def import_problem(error: BaseException, file: str | None) -> TaskError:
    """The TaskError for an exception out of an import of user code."""
    if isinstance(error, SyntaxError):
        return task_error(
            f"the task does not import: {type(error).__name__}: {error.msg}",
            cure=f"correct the line{f': {error.text.strip()}' if error.text else ''}",
            file=error.filename or file,
            line=error.lineno,
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        cure = (
            f"check the spelling, or install {error.name.partition('.')[0]}"
            f" where the worker runs ({sys.executable} -m pip install ...)"
        )
    elif isinstance(error, ImportError):
        cure = "check that the name exists in the installed version of that module"
    elif isinstance(error, SystemExit):
        cure = 'put what the file does as a script under `if __name__ == "__main__":`'
    else:
        cure = f"correct the line; a task file must import without error ({_try_it(file)})"
    return raised(error, "the task does not import", cure=cure, file=file)


def source_files(file: Path) -> tuple[Path, ...]:
    """The task's file and every file in its folder that it imports, directly or not.

    Found by reading, without running anything; imports of installed packages end the
    search. Sorted by name. A file that does not parse counts without its imports.
    """
    found: set[Path] = set()
    waiting = [file.expanduser().absolute()]
    while waiting:
        current = waiting.pop()
        if current in found or not current.is_file():
            continue
        found.add(current)
        for name in _imported_names(current):
            base = file.absolute().parent.joinpath(*name.split("."))
            waiting += [base.with_suffix(".py"), base / "__init__.py"]
    return tuple(sorted(found))


def source_digest(file: Path) -> str:
    """SHA-256 of the contents of ``source_files(file)``, in hex."""
    digest = hashlib.sha256()
    for source in source_files(file):
        content = source.read_bytes()
        digest.update(f"{source.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _check_readable(file: Path) -> None:
    if not file.exists():
        raise task_error(
            f"{file} does not exist", cure="give the path of a Python file that defines the task"
        )
    if not file.is_file():
        raise task_error(f"{file} is not a file", cure="give a Python file, path/to/file.py:Class")
    if file.suffix != ".py":
        raise task_error(
            f"{file} is not a Python file", cure="give one whose name ends in .py: file.py:Class"
        )
    try:
        file.read_bytes()
    except OSError as error:
        raise task_error(
            f"{file} cannot be read: {describe_exception(error)}",
            cure="make it readable for the user the worker runs as",
            file=str(file),
        ) from error


def _check_clash(folder: Path) -> None:
    """Two modules of one name cannot live in one process: ours would hide the user's."""
    if folder.resolve() == Path(recipes.__path__[0]).resolve().parent:
        return
    for name in OUR_NAMES:
        package = folder / name
        clash = folder / f"{name}.py"
        if clash.is_file() or (package.is_dir() and any(package.glob("*.py"))):
            what = clash if clash.is_file() else package
            raise task_error(
                f"{what} has the name of one of Sevenstep's own packages, so the task could"
                " not import it",
                cure=f"rename it (my_{name}, say), or put the task file into another folder",
                file=str(what),
            )


def _imported_names(file: Path) -> set[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = [node.module] if node.module else []
            names |= {".".join([*parts, alias.name]) for alias in node.names}
    # ``import a.b`` runs a's __init__ as well.
    return names | {name.rpartition(".")[0] for name in names if "." in name}


def _try_it(file: str | None) -> str:
    return f"try: python {file}" if file else "try it in a Python session"
