"""Carries out what a document says, as a reader would: its files, its commands, their output.

A fenced block's info string says what becomes of it:

- ``python file=my_task.py``: it is saved under that name in the reader's folder, whatever its
  language is;
- ``console run``: its lines that begin with ``$ `` are typed into one shell, one after the
  other, and the lines below each must come out in this order. Any number stands for any
  other, a duration for another, an id for the id that came out (later commands get that one),
  ``…`` for anything; lines that the document leaves out are let pass. A command that ends with
  another code than 0 fails, unless it ends in ``; echo …``;
- ``console more``: more of what the last command of the block before said;
- ``console wait``: the same, repeated until it says so, as one looks again and again;
- ``console serve``: the same for a command that goes on in the background until the end.

The service's address and port in the document stand for the reader's own.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.architecture_tests.repository import ROOT
from tests.processes import free_port

BLOCK = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
ID = re.compile(r"\b(?=[a-z]*\d)(?=\d*[a-z])[a-z0-9]{16}\b")
DURATION = re.compile(r"\b\d[\d.]* (?:s|min|h)\b(?: \d+ (?:s|min)\b)?")
ADDRESS = "127.0.0.1:8080"
END = "end-of-command"
START_SECONDS = 60.0
WAIT_SECONDS = 120.0


@dataclass(frozen=True)
class Command:
    """A command as it is written, and the lines that the document shows below it."""

    line: str
    shown: tuple[str, ...]


@dataclass
class Reader:
    """Somebody with a folder, a shell, an installation and our examples, who follows a document.

    Args:
        folder: Home and working directory, with nothing of Sevenstep in it yet.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    ids: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Reader:
        (self.folder / "examples").symlink_to(ROOT / "examples")
        self._services: list[subprocess.Popen[str]] = []
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self._environment(),
        )
        return self

    def __exit__(self, *_: object) -> None:
        for service in self._services:
            os.killpg(service.pid, signal.SIGTERM)
            service.communicate(timeout=30)
        assert self._shell.stdin is not None
        self._shell.communicate("exit\n", timeout=10)

    def follow(self, document: Path) -> list[str]:
        """Do all of it. Returns the commands that were carried out."""
        done = []
        for block in BLOCK.finditer(document.read_text()):
            words = block["info"].split()
            named = [word.removeprefix("file=") for word in words if word.startswith("file=")]
            if named:
                (self.folder / named[0]).write_text(self._mine(block["text"]))
            if words[0] != "console" or words[1:] == []:
                continue
            if words[1] == "more":
                self._more(block["text"])
                continue
            for command in commands_of(block["text"]):
                match words[1]:
                    case "run":
                        self._run(command)
                    case "wait":
                        self._wait(command)
                    case "serve":
                        self._serve(command)
                    case other:
                        raise AssertionError(f"{document.name}: nobody knows a console {other}")
                done.append(command.line)
        return done

    def _run(self, command: Command) -> None:
        self._said = self._typed(command)
        self._unread = iter(self._said)
        self._read_on(command.shown)

    def _more(self, text: str) -> None:
        self._read_on(shown_in(text.splitlines()))

    def _read_on(self, shown: Sequence[str]) -> None:
        left = self._left_over(shown, self._unread)
        said = "\n".join(self._said)
        if left and (other := came_out_otherwise(left[0], said)):
            pytest.skip(f"trainings round otherwise here: {other!r}, where it shows {left[0]!r}")
        assert not left, f"it does not say {left[0]!r} here (any more); it says:\n{said}"

    def _wait(self, command: Command) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if not self._left_over(command.shown, iter(self._typed(command))):
                return
            time.sleep(1)
        self._run(command)

    def _typed(self, command: Command) -> list[str]:
        """What a command says on both its streams."""
        line = self._mine(command.line)
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        # On a line of its own: an answer of the service ends without a line break.
        self._shell.stdin.write(f"{{ {line}\n}} </dev/null\nprintf '\\n%s %s\\n' {END} $?\n")
        self._shell.stdin.flush()
        seen: list[str] = []
        for text in self._shell.stdout:
            if END in text:
                code = int(text.rpartition(" ")[2])
                break
            seen.append(text.rstrip("\n"))
        else:
            raise AssertionError(f"the shell ended at {line!r}: {seen}")
        assert code == 0, f"{line!r} ended with code {code}: {seen}"
        return seen

    def _serve(self, command: Command) -> None:
        line, shown = self._mine(command.line), command.shown
        log = self.folder / f"service-{len(self._services)}.log"
        with log.open("w") as output:
            service = subprocess.Popen(
                ["bash", "-c", line],
                stdout=output,
                stderr=output,
                text=True,
                cwd=self.folder,
                env=self._environment(),
                start_new_session=True,
            )
        self._services.append(service)
        deadline = time.monotonic() + START_SECONDS
        while True:
            seen = log.read_text().splitlines()
            left = self._left_over(shown, iter(seen))
            if not left:
                return
            assert service.poll() is None, f"{line!r} ended: {seen}"
            assert time.monotonic() < deadline, f"{line!r} never said {left}; it said {seen}"
            time.sleep(0.1)

    def _left_over(self, shown: Sequence[str], lines: Iterator[str]) -> list[str]:
        """What of the lines shown did not come out, in this order."""
        for place, wanted in enumerate(shown):
            if all(not self._same(wanted, line) for line in lines):
                return list(shown[place:])
        return []

    def _same(self, wanted: str, line: str) -> bool:
        found = re.fullmatch(pattern_of(wanted), line.strip())
        if found is None:
            return False
        for number, written in enumerate(ID.findall(wanted)):
            self.ids[written] = found[f"id{number}"]
        return True

    def _mine(self, line: str) -> str:
        """A command with the reader's own port and ids."""
        for written, own in self.ids.items():
            line = line.replace(written, own)
        return line.replace(ADDRESS, f"127.0.0.1:{self.port}")

    def _environment(self) -> Mapping[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SEVENSTEP_", "XDG_"))}
        return {
            **kept,
            "HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
            "SEVENSTEP_PORT": str(self.port),
            # What is measured to gain by it trains together, and rounds otherwise: documents
            # show what does not depend on what was measured.
            "SEVENSTEP_FUSE": "0",
            "COLUMNS": "200",
            "PYTHONUNBUFFERED": "1",
        }


def commands_of(text: str) -> list[Command]:
    """The commands of a block, each with what is shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\"):
            before, shown = found.pop()
            found.append((before[:-1] + line.strip(), shown))
        else:
            assert found, f"output without a command: {line!r}"
            found[-1][1].append(line)
    return [Command(line, shown_in(shown)) for line, shown in found]


def shown_in(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines that must come out: those that only say that some are left out are none."""
    return tuple(line.strip() for line in lines if line.strip() not in ("", "[…]", "…"))


def came_out_otherwise(wanted: str, said: str) -> str | None:
    """The line that says with other numbers what a document shows; None where none does.

    Processors sum in other orders, and a search then ends elsewhere: another trial, other
    hyperparameters that matter. With the same numbers the words must be the same.
    """
    start = NUMBER.split(wanted, maxsplit=1)[0]
    if not re.search("accuracy|loss", wanted) or not re.search("[a-z]{3}", start):
        return None
    numbers = NUMBER.findall(wanted)
    alike = (line.strip() for line in said.splitlines() if line.strip().startswith(start))
    return next((line for line in alike if NUMBER.findall(line) != numbers), None)


def pattern_of(wanted: str) -> str:
    """A regular expression: numbers, durations and ids of any kind, ``…`` for anything."""
    parts, place, num_ids = [], 0, 0
    loose = rf"(?P<id>{ID.pattern})|(?P<any>\[…\]|…)|(?P<time>{DURATION.pattern})|{NUMBER.pattern}"
    for found in re.finditer(loose, wanted):
        parts.append(re.escape(wanted[place : found.start()]))
        if found["id"]:
            parts.append(rf"(?P<id{num_ids}>[a-z0-9]{{16}})")
            num_ids += 1
        else:
            is_time = found["time"] is not None
            parts.append(".*" if found["any"] else DURATION.pattern if is_time else NUMBER.pattern)
        place = found.end()
    return "".join([*parts, re.escape(wanted[place:])])
