"""A service on a loopback port, a study with figures and findings, and a real Chromium."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from recipes.finding import Cause, Finding, Severity
from recipes.step import Action, Figure, Series, StepContext, StepKind, StepReport, StepState
from recipes.study import StudyConfig
from service.access import TokenScope
from service.conductor.conductor import Conductor
from service.dispatch.scripted import ScriptedDispatcher
from service.server.app import create_app
from service.settings import Settings
from service.use_cases import studies, tokens
from service.web.context import Context, open_context
from tests.service_tests.support import Falling, PlainStep, recipe

LOOKS = 12
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]


class DrawingStep(PlainStep):
    """Judges with everything a page can show."""

    def judge(self, context: StepContext) -> StepReport:
        report = super().judge(context)
        losses = Series(
            name="loss", x=(1e-4, 1e-3, 1e-2, 1.0), y=(2.3, 1.9, 0.4, float("nan")), style="dots"
        )
        return report.model_copy(
            update={
                "sentence": f"Step {report.number}: loss 0.4 against 2.3 at chance, so it learns.",
                "figures": (
                    Figure(
                        name="loss",
                        title="Loss by learning rate",
                        summary="It falls from 2.3 to 0.4.",
                        x_label="learning rate",
                        y_label="loss",
                        x_log=True,
                        series=(losses,),
                        shaded=(1e-3, 1e-2),
                        horizontal=(("chance", 2.3),),
                    ),
                ),
                "findings": (
                    Finding(
                        code="lr_too_high",
                        severity=Severity.WARNING,
                        confidence=0.9,
                        sentence="The loss is not finite at <script>1e0</script>.",
                        evidence={"loss": float("nan"), "threshold": 6.9},
                        causes=(Cause(code="lr", sentence="The rate is high.", confidence=0.8),),
                        action="Stay below 0.1.",
                        source="method, step 3",
                        trial=0,
                    ),
                ),
                "action": Action(kind="continue", sentence="Go on."),
            }
        )


RECIPE = recipe(
    DrawingStep(StepKind.INITIAL_LOSS),
    DrawingStep(StepKind.OVERFIT_SAMPLE, verdicts=(StepState.FAILED,)),
)


@dataclass
class Site:
    """A service, and somebody who moves its studies on when told to."""

    address: str
    token: str  # of scope admin
    token_uid: str
    reader_uid: str  # of a token of scope read
    context: Context
    conductor: Conductor

    def create(self, name: str, *, steps: tuple[int, ...] = (1, 2)) -> str:
        with self.context.database.write() as session:
            config = StudyConfig(name=name, task="digits", steps=steps)
            return studies.create(session, config).id

    def move_on(self) -> None:
        for _ in range(LOOKS):  # a look that takes no decision may still have run attempts
            self.conductor.look()

    def login(self, path: str, *, reads: bool = False) -> str:
        """A link that opens one browser, once, and leads to a page."""
        with self.context.database.write() as session:
            code = tokens.open_link(session, self.reader_uid if reads else self.token_uid)
        return f"{self.address}/login?code={code}&next={path}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("site"), run_conductor=False, lease_seconds=3600
    )
    context = open_context(settings)
    with context.database.write() as session:
        token_uid, token = tokens.issue(session, name="test", scope=TokenScope.ADMIN)
        reader_uid, _ = tokens.issue(session, name="reads", scope=TokenScope.READ)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        app = create_app(settings, opened=context)
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        dispatcher = ScriptedDispatcher(context.database, Falling(), settings=settings)
        yield Site(
            address=f"http://127.0.0.1:{listener.getsockname()[1]}",
            token=token,
            token_uid=token_uid,
            reader_uid=reader_uid,
            context=context,
            conductor=Conductor(
                context.database, settings=settings, dispatcher=dispatcher, recipe=RECIPE
            ),
        )
        context.closing.set()
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None or not Path(path).exists():
        pytest.skip("no Chromium here, so the pages are not looked at")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh browser page; anything it complains of fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
