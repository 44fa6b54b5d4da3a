"""The tables. Importing this package fills ``Base.metadata``."""

from service.database.models.access import KeptAnswer, Token
from service.database.models.attempt import Artifact, Attempt, AttemptMember
from service.database.models.curve import Curve, CurvePoint
from service.database.models.job import Job, JobMember
from service.database.models.study import Event, Finding, StepRun, StepWork, Study
from service.database.models.trial import Trial
from service.database.models.worker import Worker

__all__ = [
    "Artifact",
    "Attempt",
    "AttemptMember",
    "Curve",
    "CurvePoint",
    "Event",
    "Finding",
    "Job",
    "JobMember",
    "KeptAnswer",
    "StepRun",
    "StepWork",
    "Study",
    "Token",
    "Trial",
    "Worker",
]
