"""The reference names everything there is, and nothing there is not."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from pydantic_settings import BaseSettings

import service.client
from recipes.cli import build
from service.client import Client, ClientError
from service.server.app import create_app
from service.settings import Settings as ServiceSettings
from tests.architecture_tests.repository import REFERENCE, headings, section
from worker.settings import AgentSettings

HEAD_WORD = re.compile(r"^\| `(?P<name>[^`]+)`", re.MULTILINE)
ROUTE = re.compile(r"^\| `(?P<method>GET|POST|DELETE|PUT|PATCH) (?P<path>/[^`]*)`", re.MULTILINE)


@pytest.mark.parametrize(
    ("heading", "settings"), [("## Service", ServiceSettings), ("## Worker", AgentSettings)]
)
def test_settings_are_the_documented_ones(heading: str, settings: type[BaseSettings]) -> None:
    documented = HEAD_WORD.findall(section(REFERENCE / "settings.md", heading))
    assert sorted(documented) == sorted(settings.model_fields)


@pytest.mark.parametrize(
    ("heading", "settings"), [("## Service", ServiceSettings), ("## Worker", AgentSettings)]
)
def test_numbers_among_the_settings_have_the_documented_defaults(
    heading: str, settings: type[BaseSettings]
) -> None:
    text = section(REFERENCE / "settings.md", heading)
    numbers = {
        name: field.default
        for name, field in settings.model_fields.items()
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool)
    }
    assert numbers
    for name, default in numbers.items():
        found = re.search(rf"^\| `{name}` \| (?P<default>[\d.]+)", text, re.MULTILINE)
        assert found, f"{name} has no number for a default in settings.md"
        assert float(found["default"]) == default, name


def commands() -> Iterator[tuple[str, Any]]:
    """Every command and its name in full. Typer may carry a click of its own."""

    def below(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
            return
        for word, each in inner.items():
            yield from below(each, f"{name} {word}")

    yield from below(typer.main.get_command(build()), "sevenstep")


COMMANDS = dict(commands())


def test_commands_are_the_documented_ones() -> None:
    documented = [each for each in headings(REFERENCE / "cli.md") if each.startswith("sevenstep ")]
    assert sorted(documented) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_documented(name: str) -> None:
    text = section(REFERENCE / "cli.md", f"## {name}")
    given = {
        option
        for parameter in COMMANDS[name].params
        if parameter.param_type_name == "option"
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert given - {"--help"} <= set(re.findall(r"--[a-z-]+", text))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_documented_that_is_not_there(name: str) -> None:
    text = section(REFERENCE / "cli.md", f"## {name}")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `--")]
    documented = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    known = {
        option
        for parameter in COMMANDS[name].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert documented <= known


def test_commands_were_found() -> None:
    assert {"sevenstep run", "sevenstep study list", "sevenstep worker"} <= set(COMMANDS)


def test_routes_are_the_documented_ones(tmp_path) -> None:
    schema = create_app(ServiceSettings(data_dir=tmp_path)).openapi()
    served = {
        (method.upper(), path) for path, methods in schema["paths"].items() for method in methods
    }
    # Who may ask for which route, pages too, is another table, with a test of its own.
    scopes = section(REFERENCE / "rest.md", "## Tokens and scopes")
    text = (REFERENCE / "rest.md").read_text().replace(scopes, "")
    assert set(ROUTE.findall(text)) == served


def test_query_parameters_are_documented(tmp_path) -> None:
    schema = create_app(ServiceSettings(data_dir=tmp_path)).openapi()
    text = (REFERENCE / "rest.md").read_text()
    wanted = {
        parameter["name"]
        for methods in schema["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    }
    assert wanted
    assert [name for name in sorted(wanted) if f"`{name}`" not in text] == []


METHOD = re.compile(r"^\| `(?P<name>\w+)\((?P<parameters>.*?)\)` \|", re.MULTILINE)


def test_the_clients_methods_are_the_documented_ones() -> None:
    text = (REFERENCE / "client.md").read_text()
    documented = {
        found["name"]: set(re.findall(r"(?:^|, )\**(\w+)", found["parameters"]))
        for found in METHOD.finditer(text)
    }
    steering = set(METHOD.findall(section(REFERENCE / "client.md", "## Steer")))
    for name, _ in steering:
        documented[name].add("if_version")  # said once, above their table
    methods = {
        "Client": Client,
        **{name: each for name, each in inspect.getmembers(Client) if not name.startswith("_")},
    }
    there = {
        name: set(inspect.signature(each).parameters) - {"self", "cls"}
        for name, each in methods.items()
    }
    assert documented == there


def test_what_the_client_takes_by_name_alone_stands_after_a_star() -> None:
    text = (REFERENCE / "client.md").read_text()
    seen = 0
    for found in METHOD.finditer(text):
        documented = [each.partition("=")[0] for each in found["parameters"].split(", ")]
        after = documented[documented.index("*") + 1 :] if "*" in documented else []
        method = Client if found["name"] == "Client" else getattr(Client, found["name"])
        by_name = [
            each.name
            for each in inspect.signature(method).parameters.values()
            if each.kind is each.KEYWORD_ONLY and each.name != "if_version"
        ]
        assert sorted(each for each in after if each[0] != "*") == sorted(by_name), found["name"]
        seen += bool(by_name)
    assert seen > 5


def test_the_clients_errors_are_the_documented_ones() -> None:
    documented = HEAD_WORD.findall(section(REFERENCE / "client.md", "## Errors"))
    there = {
        name
        for name in service.client.__all__
        if inspect.isclass(found := getattr(service.client, name))
        and issubclass(found, ClientError)
    }
    assert {*documented, "ClientError"} == there
