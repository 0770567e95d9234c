"""Our errors in the words and codes of the command line."""

import contextlib
from collections.abc import Iterator

from daemon.errors import DaemonError, SourceError, SourceInsideSource, SourceIsVault
from ipc.errors import OperationError
from storage.errors import NotKept, SourceExists, StorageError


@contextlib.contextmanager
def said() -> Iterator[None]:
    """Within this block, errors leave as `OperationError`."""
    try:
        yield
    except (SourceIsVault, SourceInsideSource) as error:
        raise OperationError("refused", str(error)) from error
    except (SourceError, SourceExists, NotKept) as error:
        raise OperationError("usage", str(error)) from error
    except (StorageError, DaemonError) as error:
        raise OperationError("failed", str(error)) from error
