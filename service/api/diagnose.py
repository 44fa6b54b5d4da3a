"""Diagnoses of runs that were not made here: curves in, findings out, nothing stored."""

from __future__ import annotations

from service.api.routing import router
from service.use_cases import diagnoses
from service.use_cases.diagnoses import DiagnoseRequest, Diagnosis
from service.web.problems import documented

routes = router("diagnose")


@routes.post("/diagnose", responses=documented(413))
def diagnose_curves(request: DiagnoseRequest) -> Diagnosis:
    """Read curves as step 6 reads those of a study. Needs no study, and stores nothing.

    What was guessed of them (which is validation, percent or fraction, how many samples)
    comes back as `inferred`, and can be told in `options` instead.
    """
    return diagnoses.diagnose_curves(request)
