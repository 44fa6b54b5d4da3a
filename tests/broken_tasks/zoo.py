"""All tasks of this folder by class name, for workers that load them from this file."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from tests.broken_tasks.faults import FAULTS, task_class
from tests.broken_tasks.healthy import ARCHITECTURES, HEALTHY

for task in [
    *HEALTHY.values(),
    *(task_class(fault, name) for fault in FAULTS for name in ARCHITECTURES),
]:
    globals()[task.__name__] = task
