"""A bench on a database of each kind."""

from __future__ import annotations

import pytest

from service.database.engine import Database
from service.settings import Settings
from tests.service_tests.support import Bench


@pytest.fixture
def bench(database: Database, settings: Settings) -> Bench:
    return Bench(database, settings)
