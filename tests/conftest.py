"""For all tests: hypothesis measures nothing by the clock, since a busy machine fails no test.

Where tests run on several cores, a file stays together, because it shares what is costly to make;
so do all that look at the one story, which is lived once.
"""

import pytest
from hypothesis import HealthCheck, settings

from tests.secret_service import keyring_session

__all__ = ["keyring_session"]  # a fixture

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        names = getattr(item, "fixturenames", ())
        group = "story" if "story" in names else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
