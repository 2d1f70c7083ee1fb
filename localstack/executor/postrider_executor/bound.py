"""A bound on the processes of each function.

LocalStack starts an environment for each invocation that finds no idle one. Of requests at once each
new process starts, reads its parameters and connects, which takes the processor from the others, so
that still more processes start. Here an invocation waits for its turn instead, as a request waits
in the queue of a server.
"""

import contextlib
import os
import threading

from localstack.services.lambda_.invocation.assignment import AssignmentService
from localstack.utils.patch import patch

MOST = int(os.environ.get("FUNCTION_PROCESSES") or 8)

_lock = threading.Lock()
_turns: dict[str, threading.Semaphore] = {}


def _turn(version: str) -> threading.Semaphore:
    with _lock:
        return _turns.setdefault(version, threading.Semaphore(MOST))


def install() -> None:
    if getattr(AssignmentService, "postrider_bound", False):
        return
    AssignmentService.postrider_bound = True

    @patch(AssignmentService.get_environment)
    @contextlib.contextmanager
    def get_environment(original, self, version_manager_id, *args, **kwargs):
        with _turn(version_manager_id), original(self, version_manager_id, *args, **kwargs) as found:
            yield found
