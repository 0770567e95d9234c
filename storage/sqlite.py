"""sqlite-utils' `Database`, imported without numpy.

sqlite-utils loads numpy, where it is installed, to know the types of its numbers. None comes here,
and without it the service is 10 MB smaller: an import fails meanwhile, as if it were not installed.
"""

import sys

_numpy = sys.modules.get("numpy")
sys.modules["numpy"] = None  # type: ignore[assignment]
try:
    from sqlite_utils import Database
finally:
    if _numpy is None:
        del sys.modules["numpy"]
    else:
        sys.modules["numpy"] = _numpy

__all__ = ["Database"]
