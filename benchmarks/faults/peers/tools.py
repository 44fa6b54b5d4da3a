"""The tools that are compared with, by name."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.faults.peers.autotrainer import autotrainer
from benchmarks.faults.peers.deepdiagnosis import deepdiagnosis
from benchmarks.faults.peers.evidence import Judge
from benchmarks.faults.peers.sagemaker import sagemaker
from benchmarks.faults.peers.umlaut import umlaut

TOOLS: Mapping[str, Judge] = {
    "SageMaker Debugger": sagemaker,
    "UMLAUT": umlaut,
    "AutoTrainer": autotrainer,
    "DeepDiagnosis": deepdiagnosis,
}
"""Their rules as restated here; the tools themselves were not run."""
