"""Use case: a study is deleted, at once for everybody, and its rows in slices behind that.

A study can hold a million curve points. To remove them in one transaction would keep every
other writer of a SQLite file waiting for seconds. So one small transaction takes the study
away: under its new name it is found by nobody. The conductor's housekeeping removes what it
held, a bounded slice a transaction, and goes on with that after a crash.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from service.errors import InvalidState
from service.repositories import kept_answers, studies
from service.streams import events
from service.uids import as_deleted


def delete_study(session: Session, uid: str) -> None:
    """Take a study away for good, with all that it measured.

    The answers kept for requests that made or changed it go too. A worker that still
    reports for it is told that there is no such attempt, and leaves.

    Args:
        session: A write session.
        uid: Which.

    Raises:
        NotFound: There is no such study (any more).
        InvalidState: It has not ended.
    """
    study = studies.require(session, uid, lock=True)
    if not study.state.has_ended:
        raise InvalidState(f"the study is {study.state.value}; cancel it, then delete it")
    studies.change(session, study.id, uid=as_deleted(uid))
    kept_answers.forget_naming(session, uid)
    session.info["failpoint"] = "delete.after_commit"
    events.publish_on_commit(session, events.study_topic(uid), events.EVENTS, events.CONDUCTOR)
