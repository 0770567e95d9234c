"""Which adapters left the vault in clear, as events tell."""

from storage.exports import adapter_exports
from storage.vault import Vault

EVENTS = [
    {"id": 1, "kind": "collected", "at": 1.0, "facts": {"digest": "ab"}},
    {"id": 2, "kind": "exported", "at": 2.0, "facts": {"documents": 3}},
    {"id": 3, "kind": "exported", "facts": {"digests": ["ab", "cd"], "folder": "/stick"}},
    {"id": 4, "kind": "adapter_exported", "at": 4.0, "facts": {"digest": "ab", "folder": None}},
]


def test_each_adapter_is_named_each_time_that_it_left() -> None:
    told = [(one.sha256, one.event, one.at, one.folder) for one in adapter_exports(EVENTS)]
    assert told == [("ab", 3, None, "/stick"), ("cd", 3, None, "/stick"), ("ab", 4, 4.0, None)]
    assert [one.event for one in adapter_exports(EVENTS, {"cd", "ef"})] == [3]
    assert adapter_exports(EVENTS, set()) == []


def test_a_folder_is_not_in_a_repr() -> None:
    assert "/stick" not in repr(adapter_exports(EVENTS))


def test_any_path_can_be_recorded(vault: Vault) -> None:
    vault.ledger.append_event("adapter_exported", {"digest": "ab", "folder": "/a\udcff/ü\n"})
    [one] = adapter_exports(vault.ledger.events())
    assert one.folder == "/a\udcff/ü\n"
    assert vault.ledger.broken_links() == []
