"""For all tests: hypothesis tries forty examples, others each time, and measures no time.

Where tests run on several cores, a file stays together, because it shares what is costly to make;
so do all that look at the one story, which is lived once.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.secret_service import keyring_session

__all__ = ["keyring_session"]  # a fixture

# A worker to each core computes on one thread, and so do the processes that it starts: more would
# wait for each other. Before torch is imported, which reads it once.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile(
    "patient", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")

# Files of these folders train, a minute each; they begin first, so that no core waits for another
# at the end. All others are a matter of seconds.
LONG = ("tests/crash/", "tests/pipeline/", "tests/trainer/bench/")
# Their tests look at the one story (tests/pipeline/conftest.py), which takes most of a minute.
THE_STORY = "the story"
OF_THE_STORY = {f"tests/pipeline/test_{name}.py" for name in ("night", "privacy", "serving")}


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # it comes without types
    """Gives a worker a whole file at a time, and the files of the story to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return THE_STORY if file in OF_THE_STORY else file

    def _assign_work_unit(self, node: Any) -> None:
        """Give the next file; those that take long before all others."""
        longest = next((scope for scope in self.workqueue if takes_long(scope)), None)
        if longest is not None:
            self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)


def takes_long(scope: str) -> bool:
    return scope == THE_STORY or scope.startswith(LONG)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)
