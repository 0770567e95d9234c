"""Our errors in the words and codes of the command line."""

import contextlib
from collections.abc import Iterator

from daemon.errors import (
    AnswerNotRemembered,
    AttemptTooSoon,
    DaemonError,
    ExclusionInvalid,
    ExclusionUnknown,
    LockError,
    NightMayNot,
    Paused,
    SourceError,
    SourceInsideSource,
    SourceIsVault,
    TooManyAttempts,
)
from ipc.errors import OperationError
from storage.errors import (
    AdapterInUse,
    AdapterPinned,
    AdapterWithdrawn,
    AmbiguousAdapter,
    EmptyPassphrase,
    KeeperUnavailable,
    LastSlot,
    NotKept,
    SecretRefused,
    SlotExists,
    SourceExists,
    StorageError,
)


@contextlib.contextmanager
def said() -> Iterator[None]:
    """Within this block, errors leave as `OperationError`."""
    try:
        yield
    except LockError as error:
        waits = isinstance(error, (TooManyAttempts, AttemptTooSoon))
        raise OperationError("refused" if waits else "locked", str(error)) from error
    except (SlotExists, LastSlot) as error:
        raise OperationError("refused", str(error)) from error
    except EmptyPassphrase as error:
        raise OperationError("usage", str(error)) from error
    except KeeperUnavailable as error:
        raise OperationError("failed", str(error)) from error
    except SecretRefused as error:
        raise OperationError("locked", str(error)) from error
    except (Paused, NightMayNot, AdapterInUse, AdapterPinned, AdapterWithdrawn) as error:
        raise OperationError("refused", str(error)) from error
    except (ExclusionInvalid, ExclusionUnknown, AnswerNotRemembered) as error:
        raise OperationError("usage", str(error)) from error
    except (SourceIsVault, SourceInsideSource) as error:
        raise OperationError("refused", str(error)) from error
    except (SourceError, SourceExists, NotKept, AmbiguousAdapter) as error:
        raise OperationError("usage", str(error)) from error
    except (StorageError, DaemonError) as error:
        raise OperationError("failed", str(error)) from error
