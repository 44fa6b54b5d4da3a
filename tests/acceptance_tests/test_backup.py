"""Back-ups taken while a study runs: restored elsewhere, the study goes on and ends the same."""

import shutil
import subprocess
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.acceptance_tests.small_study import SEARCHES
from tests.processes import Installation, sevenstep, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("processes"),
    pytest.mark.timeout(600),
]

CHECKPOINTING = {"SEVENSTEP_CHECKPOINT_SECONDS": "0"}


def amid_the_searches(installation: Installation, study: str) -> None:
    """Wait until there are results, and work under way."""

    def is_amid() -> bool:
        with installation.client() as client:
            states = [trial.state.value for trial in client.trials(study)]
        return "running" in states and states.count("complete") + states.count("waiting") > 2

    wait_for(is_amid, seconds=120, every=0.2, what="a search under way")


def command(*words: object) -> None:
    subprocess.run(list(map(str, words)), check=True, capture_output=True, timeout=120)


def test_a_sqlite_installation(tmp_path):
    backup = tmp_path / "backup"
    with Installation(tmp_path / "data", environment=CHECKPOINTING) as original:
        study = original.create("digits", seed=5, **SEARCHES)
        amid_the_searches(original, study)
        done = sevenstep("db", "backup", str(backup), "--data-dir", str(original.data_dir))
        assert done.returncode == 0, done.stderr
        assert "Backed up" in done.stdout
        again = sevenstep("db", "backup", str(backup), "--data-dir", str(original.data_dir))
        assert again.returncode == 1
        assert "not there yet" in again.stderr
        expected = original.outcome(study, seconds=300)

    shutil.copytree(backup, tmp_path / "restored")
    with Installation(tmp_path / "restored", environment=CHECKPOINTING) as restored:
        assert restored.outcome(study, seconds=300) == expected
    assert not (backup / "server.json").exists(), "a back-up holds no token"


def test_a_postgres_installation(postgres, tmp_path):
    first, second = postgres.empty_database(), postgres.empty_database()
    dump, files = tmp_path / "sevenstep.dump", tmp_path / "artifacts"
    environment = {**CHECKPOINTING, "SEVENSTEP_DATABASE_URL": first}
    assert sevenstep("db", "upgrade", environment=environment).returncode == 0
    with Installation(tmp_path / "data", environment=environment) as original:
        study = original.create("digits", seed=5, **SEARCHES)
        amid_the_searches(original, study)
        # As the how-to has it: the files before the database, and what came since after it.
        artifacts = Path(original.data_dir / "artifacts")
        command("cp", "-al", artifacts, files)
        url = make_url(first)
        where = ("-h", url.host, "-p", url.port, "-U", url.username)
        command("pg_dump", "--format=custom", "--file", dump, *where, url.database)
        command("cp", "-aln", f"{artifacts}/.", files)
        expected = original.outcome(study, seconds=300)

    command("pg_restore", "--no-owner", *where, "--dbname", make_url(second).database, dump)
    (tmp_path / "restored").mkdir()
    shutil.copytree(files, tmp_path / "restored" / "artifacts")
    environment = {**CHECKPOINTING, "SEVENSTEP_DATABASE_URL": second}
    with Installation(tmp_path / "restored", environment=environment) as restored:
        assert restored.outcome(study, seconds=300) == expected
