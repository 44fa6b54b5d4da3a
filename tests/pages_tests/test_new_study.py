"""The form for a new study: what it makes of what was typed, and how it says what is wrong."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from service.pages.study_form import DEFAULTS, StudyForm, filled
from service.settings import Settings
from service.use_cases import studies
from service.views.shell import curl
from tests.pages_tests.conftest import Site


def form(tmp_path: Path, **typed: str) -> StudyForm:
    fields = {name: value for name, value in DEFAULTS.items() if value} | typed
    return filled(
        {name: value for name, value in fields.items() if value}, Settings(data_dir=tmp_path)
    )


def test_an_untouched_form_asks_for_nothing_special(tmp_path: Path) -> None:
    made = form(tmp_path)
    assert made.payload == {"name": "digits", "task": "digits"}
    assert made.config is not None
    assert made.errors == {}


@pytest.mark.parametrize(
    ("line", "field", "meant"),
    [
        ("lr = 1e-4..1", "space", {"kind": "float", "low": 1e-4, "high": 1, "log": True}),
        ("lr=0.1..1", "space", {"kind": "float", "low": 0.1, "high": 1}),
        ("lr = 1e-4..1 linear", "space", {"kind": "float", "low": 1e-4, "high": 1}),
        ("lr = 0.1..0.5 log hard", "space", None),
        ("hidden = 32..64", "space", {"kind": "int", "low": 32, "high": 64}),
        ("hidden = 1..256", "space", {"kind": "int", "low": 1, "high": 256, "log": True}),
        ("optimizer = sgd, adamw", "space", {"kind": "categorical", "choices": ["sgd", "adamw"]}),
        ("momentum = 0.9", "set", 0.9),
        ("optimizer = adamw", "set", "adamw"),
        ("nesterov = true", "set", True),
    ],
)
def test_a_line_is_a_range_choices_or_a_value(
    tmp_path: Path, line: str, field: str, meant: Any
) -> None:
    made = form(tmp_path, space=line)
    assert made.errors == {}
    name = line.partition("=")[0].strip()
    if meant is None:
        meant = {"kind": "float", "low": 0.1, "high": 0.5, "log": True, "hard": True}
    assert made.payload[field] == {name: meant}


def test_every_field_arrives(tmp_path: Path) -> None:
    made = form(
        tmp_path,
        name="mine",
        incumbent="lr = 0.1, weight_decay=5e-4",
        seed="7",
        minutes="1.5",
        trials="12",
        max_rounds="2",
        autopilot="",
        step_7="",
    )
    config = made.config
    assert config is not None
    assert config.incumbent == {"lr": 0.1, "weight_decay": 5e-4}
    assert (config.seed, config.max_rounds, config.autopilot) == (7, 2, False)
    assert config.budget.wall_seconds == 90
    assert config.budget.trials == 12
    assert config.steps == (1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"seed": "seven"}, "seed", "number"),
        ({"seed": "-1"}, "seed", "greater than or equal to 0"),
        ({"minutes": "0"}, "minutes", "greater than 0"),
        ({"minutes": "NaN"}, "minutes", "finite"),
        ({"trials": "1.5"}, "trials", "whole number"),
        ({"space": "lr"}, "space", "name = value"),
        ({"space": "lr = 1..0.1"}, "space", "below"),
        ({"space": "lr = -1..1 log"}, "space", "log range"),
        ({"space": "lr = a..b"}, "space", "numbers"),
        ({"space": "lr = 1..2 loog"}, "space", "loog"),
        ({"space": "lr = 0.1\nlr = 0.2"}, "space", "twice"),
        ({"space": "lr = 0.1.."}, "space", "low..high"),
        ({"task": "/home/x.py"}, "task", "--allow-task-files"),
        ({"task": ""}, "task", "at least 1"),
        ({"name": "x" * 101}, "name", "at most 100"),
        ({f"step_{n}": "" for n in range(1, 8)}, "steps", "at least one"),
        ({"incumbent": "lr"}, "incumbent", "name = value"),
        ({"max_rounds": "1000"}, "max_rounds", "100"),
        ({"epochs": "9" * 400}, "epochs", "9223372036854775807"),
        ({"space": "hidden = 1.." + "9" * 400}, "space", "hidden.high: give a number less than"),
        ({"space": "hidden = 0.1.." + "9" * 400}, "space", "hidden.high: give a"),
        ({"task_args": 'note = "a\\u0000b"'}, "task_args", "note: leave out the NUL"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(
    tmp_path: Path, typed: dict[str, str], field: str, said: str
) -> None:
    made = form(tmp_path, **typed)
    assert made.config is None
    assert said in made.errors[field], made.errors


@pytest.mark.parametrize("text", ["it's", "$(touch x)", 'a "b" \\ `c`', "ünïcode", "a\nb"])
def test_the_command_survives_a_shell(tmp_path: Path, text: str) -> None:
    body = {"name": text}
    command = curl("http://127.0.0.1:9/api/v1/studies", method="POST", body=body)
    echoed = subprocess.run(
        ["sh", "-c", command.replace("curl", "printf '%s\\0'", 1)],
        env={"TOKEN": "svs_x", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    assert "Authorization: Bearer svs_x" in echoed
    assert json.loads(echoed[echoed.index("-d") + 1]) == body
    assert shlex.split(command)[0] == "curl"


@pytest.mark.browser
def test_a_study_is_begun_without_a_script(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.login("/studies/new"))
    page.get_by_label("Name").fill("from the form")
    page.get_by_label("Ranges and fixed values").fill("lr = 1e-3..1\nmomentum = 1.5")
    page.get_by_label("Seed").fill("nine")
    page.get_by_role("button", name="Begin the study").click()
    expect(page.get_by_role("alert")).to_contain_text("do not fit")
    expect(page.locator("#seed-wrong")).to_contain_text("give a number")
    expect(page.get_by_label("Name")).to_have_value("from the form")
    expect(page.get_by_label("Ranges and fixed values")).to_have_value(
        "lr = 1e-3..1\nmomentum = 1.5"
    )
    page.get_by_label("Seed").fill("9")
    page.get_by_label("Ranges and fixed values").fill("lr = 1e-3..1\nmomentum = 0.9")
    page.get_by_role("button", name="Show the command").click()
    said = page.locator("#request pre").inner_text()
    page.get_by_role("button", name="Begin the study").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("from the form")
    uid = page.url.rpartition("/")[2]
    with site.context.database.read() as session:
        study = studies.get(session, uid)
    body = json.loads(shlex.split(said.replace("\\\n", " "))[-2])
    assert body["seed"] == study.seed == 9
    assert body["set"] == study.set == {"momentum": 0.9}
    context.close()


@pytest.mark.browser
def test_the_command_is_written_while_one_types(page: Page, site: Site) -> None:
    page.goto(site.login("/studies/new"))
    shown = page.locator("#request")
    expect(shown).to_contain_text('"task": "digits"')
    page.get_by_label("Name").fill("typed")
    expect(shown).to_contain_text('"name": "typed"')
    page.get_by_label("Minutes").fill("many")
    expect(shown).to_contain_text("minutes: give a number")


@pytest.mark.browser
def test_the_form_needs_a_token_of_its_session(page: Page, site: Site) -> None:
    page.goto(site.login("/studies/new"))
    answer = page.request.post(
        f"{site.address}/studies/new",
        form={"task": "digits", "intent": "create", "form_token": "0" * 64},
        headers={"Origin": site.address},
    )
    assert answer.status == 403
