"""Tasks with one fault each, and their healthy twins: what the rules must tell apart.

``make("loss_summed", "mlp")`` gives a task object, ``reference("loss_summed", "mlp")`` a
path that a worker in another process can load.
"""

from tests.broken_tasks.faults import FAULTS, Fault, make, reference
from tests.broken_tasks.healthy import ARCHITECTURES, HEALTHY

__all__ = ["ARCHITECTURES", "FAULTS", "HEALTHY", "Fault", "make", "reference"]
