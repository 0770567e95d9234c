"""Forgetting: what goes, what falls with it, what holds against a return, what a kill leaves."""

from pathlib import Path
from typing import Any

import pytest

from storage.adapter_withdrawal import KeptAdapter, serves_then, tainted
from storage.document_rows import PutOutcome
from storage.errors import AdapterWithdrawn, StorageFull, UnknownDocument
from storage.forgetting import Forgotten, Scope, check_forgotten, numbers_in, spans
from storage.known_files import FileStamp
from storage.records import AdapterStatus, DocumentState, PublishedAdapter
from storage.vault import Vault
from tests.storage.making import candidate, passed, reopen, tampering, written
from tests.storage.nights import NIGHTS
from tests.storage.test_crash import COMMIT, FILE, killed

NEW, LEARNED, SUPERSEDED = DocumentState.NEW, DocumentState.LEARNED, DocumentState.SUPERSEDED
CANARY = "The copper heron keeps the tide tables"
STAMP = FileStamp(mtime_ns=5, size=5, rules_version=1)


def kept(vault: Vault, text: str, path: str, source: str = "notes") -> int:
    """The number of the item that holds the text."""
    (result,) = vault.documents.put_many([written(text, path, source)])
    return vault.documents.read(result.document_id or 0).item_id


def shelve(
    vault: Vault, weights: bytes, *items: int, parent: PublishedAdapter | None = None
) -> PublishedAdapter:
    """An adapter that saw these items, and what its parent saw."""
    one = candidate(weights, parent.sha256 if parent else None)
    seen = frozenset(items) | (parent.seen_items if parent else frozenset())
    one = type(one)(
        sha256=one.sha256, weights=weights, base=one.base, parent=one.parent, seen_items=seen
    )
    return vault.shelf.publish(passed(one), one, trained_at=1.0)


def forget(vault: Vault, *items: int, scope: Scope = Scope.DOCUMENT) -> Forgotten:
    return vault.forgetting.forget(items, scope=scope, nights=NIGHTS)


def problems(vault: Vault) -> list[str]:
    """What does not agree with any of the records of forgetting."""
    events = [event for event in vault.ledger.events() if event["kind"] == "forgotten"]
    return [problem for event in events for problem in check_forgotten(vault, event)]


def learn(vault: Vault) -> None:
    """All that is live counts as learned."""
    live = [h.document_id for h in vault.documents.heads() if h.state is not SUPERSEDED]
    vault.documents.set_states(dict.fromkeys(live, LEARNED))


# --------------------------------------------------------------------------- rows


def test_a_forgotten_document_is_gone_with_all_its_versions_and_keys(
    vault: Vault, folder: Path
) -> None:
    item = kept(vault, f"{CANARY}.", "a.md")
    kept(vault, f"{CANARY}, said Monday.", "a.md")
    other = kept(vault, "Nothing of it.", "b.md")
    with vault._database.reading() as database:
        old = database.execute("SELECT k.* FROM data_keys k JOIN documents d ON d.key = k.id")
        wrapped = [row[2] for row in old.fetchall()][:2]

    done = forget(vault, item)

    assert (len(done.plan.documents), set(done.plan.items)) == (2, {item})
    assert [head.item_id for head in vault.documents.heads()] == [other]
    with pytest.raises(UnknownDocument):
        vault.documents.read(1)
    assert vault.verify().intact
    assert problems(vault) == []
    raw = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert CANARY.encode() not in raw
    assert not any(key in raw for key in wrapped), "a wrapped key is left, in file or log"


def test_what_matches_nothing_changes_nothing_but_the_record(vault: Vault) -> None:
    kept(vault, "Monday.", "a.md")
    first = shelve(vault, b"first", 99)
    assert vault.forgetting.items_matching("Tuesday") == frozenset()
    assert vault.forgetting.items_matching(" \n") == frozenset()
    done = forget(vault)
    assert done.plan.empty
    assert vault.documents.counts()[NEW] == 1
    current = vault.shelf.current()
    assert current is not None
    assert current.sha256 == first.sha256


def test_a_text_is_found_however_it_was_typed(vault: Vault) -> None:
    item = kept(vault, "Under the bridge at Łódź a blue\n  caf\u00e9 sleeps.", "a.md")
    kept(vault, "A blue bridge.", "b.md")
    found = vault.forgetting.items_matching("a  blue cafe\u0301\tsleeps")
    assert found == {item}


def test_a_source_is_forgotten_also_after_it_was_removed(vault: Vault) -> None:
    item = kept(vault, "A letter.", "a.md", "letters")
    old = kept(vault, "An old letter.", "b.md", "letters")
    other = kept(vault, "A note.", "c.md")
    vault.documents.delete([2])  # by age; the item is known on
    assert vault.forgetting.items_of_source("letters") == {item, old}
    forget(vault, *vault.forgetting.items_of_source("letters"), scope=Scope.SOURCE)
    assert [head.item_id for head in vault.documents.heads()] == [other]
    assert vault.verify().intact


# --------------------------------------------------------------------------- tombstones


def test_tombstones_hold_against_an_edit_a_new_name_and_a_copy(vault: Vault, folder: Path) -> None:
    item = kept(vault, f"{CANARY}.", "a.md")
    kept(vault, f"{CANARY}. And more.", "a.md")
    vault.known_files.remember("notes", {"a.md": STAMP})
    forget(vault, item)
    assert vault.known_files.unchanged("notes", {"a.md": STAMP}) == set()
    vault.close()
    with reopen(folder) as again:
        for text, path in [
            ("Something else altogether.", "a.md"),  # edited
            (f"{CANARY}. And more.", "renamed.md"),
            (f"{CANARY}.", "copy of an older version.md"),
        ]:
            assert put_outcome(again, text, path) is PutOutcome.FORGOTTEN
        assert again.documents.heads() == []


def put_outcome(vault: Vault, text: str, path: str) -> PutOutcome:
    return vault.documents.put_many([written(text, path)])[0].outcome


def test_a_copy_that_was_seen_once_stays_out_when_it_is_edited(vault: Vault) -> None:
    item = kept(vault, f"{CANARY}.", "a.md")
    forget(vault, item)
    assert put_outcome(vault, f"{CANARY}.", "b.md") is PutOutcome.FORGOTTEN
    assert put_outcome(vault, f"{CANARY}. And my thoughts on it.", "b.md") is PutOutcome.FORGOTTEN
    assert problems(vault) == []


def test_a_copy_that_the_vault_holds_goes_with_the_original(vault: Vault) -> None:
    item = kept(vault, f"{CANARY}.", "a.md")
    kept(vault, "Edited since.", "a.md")
    copy = kept(vault, f"{CANARY}.", "b.md")
    done = forget(vault, item)
    assert done.plan.items == {item, copy}
    assert vault.documents.heads() == []


def test_two_notes_of_one_template_do_not_take_each_other_along(vault: Vault) -> None:
    """The one that is kept loses its oldest version, and new notes are collected once they are
    written in."""
    item = kept(vault, "# Title\n\nDate:", "a.md")
    kept(vault, "# Holiday\n\nDate: in June.", "a.md")
    other = kept(vault, "# Title\n\nDate:", "b.md")
    kept(vault, "# Work\n\nDate: in May.", "b.md")
    done = forget(vault, item)
    assert (set(done.plan.items), set(done.plan.touched)) == ({item}, {other})
    assert [head.version for head in vault.documents.heads()] == [2]
    assert put_outcome(vault, "# Title\n\nDate:", "c.md") is PutOutcome.FORGOTTEN
    assert put_outcome(vault, "# Garden\n\nDate: in July.", "c.md") is PutOutcome.STORED


def test_a_path_is_collected_again_at_the_users_word(vault: Vault) -> None:
    item = kept(vault, f"{CANARY}.", "a.md")
    forget(vault, item)
    vault.known_files.remember("notes", {"a.md": STAMP})
    assert vault.forgetting.remember("notes", "a.md", [f"{CANARY}."]) >= 2
    assert vault.known_files.unchanged("notes", {"a.md": STAMP}) == set()
    again = kept(vault, f"{CANARY}.", "a.md")
    assert again > item, "an item's number is never given twice"
    assert problems(vault) == []
    assert vault.forgetting.remember("notes", "never.md") == 0
    assert vault.verify().intact


# --------------------------------------------------------------------------- adapters


def test_adapters_that_saw_it_fall_and_the_newest_clean_ancestor_serves(
    vault: Vault, folder: Path
) -> None:
    clean_item, item, late = (kept(vault, f"Text {n}.", f"{n}.md") for n in range(3))
    clean = shelve(vault, b"clean", clean_item)
    saw = shelve(vault, CANARY.encode() * 9, item, parent=clean)
    child = shelve(vault, b"child" * 9, late, parent=saw)
    learn(vault)

    done = forget(vault, item)

    assert set(done.plan.fallen_digests) == {saw.sha256, child.sha256}
    current = vault.shelf.current()
    assert current is not None
    assert current.sha256 == clean.sha256
    shelf = {one.sha256: one.status for one in vault.shelf.list()}
    assert shelf == {
        clean.sha256: AdapterStatus.CURRENT,
        saw.sha256: AdapterStatus.WITHDRAWN,
        child.sha256: AdapterStatus.WITHDRAWN,
    }
    for one in (saw, child):
        with pytest.raises(AdapterWithdrawn):
            vault.shelf.weights(one.sha256)
        with pytest.raises(AdapterWithdrawn):
            vault.shelf.use(one.sha256)
        assert not vault.shelf.has_weights(one.sha256)
    assert vault.shelf.weights(clean.sha256) == b"clean"
    assert len(list((folder / "files" / "adapters").iterdir())) == 3
    assert vault.verify().intact
    assert problems(vault) == []
    # What only the fallen ones knew is new text again; what the clean one knows stays learned.
    states = {head.item_id: head.state for head in vault.documents.heads()}
    assert states == {clean_item: LEARNED, late: NEW}


def test_without_a_clean_ancestor_the_base_serves(vault: Vault) -> None:
    item = kept(vault, "Monday.", "a.md")
    shelve(vault, b"first", item)
    assert forget(vault, item).plan.serves is None
    assert vault.shelf.current() is None


def test_an_adapter_that_is_clean_goes_on(vault: Vault) -> None:
    item, other = kept(vault, "Monday.", "a.md"), kept(vault, "Tuesday.", "b.md")
    clean = shelve(vault, b"clean", other)
    learn(vault)
    assert forget(vault, item).plan.fallen == ()
    current = vault.shelf.current()
    assert current is not None
    assert current.sha256 == clean.sha256
    assert vault.documents.counts()[LEARNED] == 1


def test_everything_takes_every_adapter(vault: Vault) -> None:
    kept(vault, "Monday.", "a.md")
    shelve(vault, b"saw nothing")
    vault.checkpoints.write("night-7", [b"half"])
    done = forget(vault, *vault.forgetting.all_items(), scope=Scope.EVERYTHING)
    assert vault.shelf.current() is None
    assert {one.status for one in vault.shelf.list()} == {AdapterStatus.WITHDRAWN}
    assert (vault.documents.heads(), done.checkpoints) == ([], 1)
    assert problems(vault) == []


def test_a_night_that_started_from_a_fallen_adapter_is_not_published(vault: Vault) -> None:
    item = kept(vault, "Monday.", "a.md")
    parent = shelve(vault, b"parent", item)
    forget(vault, item)
    with pytest.raises(AdapterWithdrawn):
        shelve(vault, b"of the night", parent=parent)
    with pytest.raises(AdapterWithdrawn):
        shelve(vault, b"parent", item)
    assert vault.shelf.current() is None


def adapter(number: int, parent: int | None, *seen: int, **more: Any) -> KeptAdapter:
    facts: dict[str, Any] = {
        "sha256": f"sha-{number}", "base": "base", "withdrawn": False, "current": False,
        "parent": None if parent is None else f"sha-{parent}",
    }  # fmt: skip
    return KeptAdapter(number=number, seen_items=frozenset(seen), **facts | more)


def test_what_cannot_be_read_or_was_made_from_a_fallen_one_is_tainted() -> None:
    shelf = [
        adapter(1, None, 1),
        adapter(2, 1, 1, 2),
        adapter(3, 2, 1),  # its record leaves out what its parent saw
        adapter(4, None, sha256=None, base=None),
        adapter(5, None, 2, withdrawn=True),
        adapter(6, 5, 1),
    ]
    assert [one.number for one in tainted(shelf, {2})] == [2, 3, 4, 6]
    assert [one.number for one in tainted(shelf, {9}, everything=True)] == [1, 2, 3, 4, 6]


@pytest.mark.parametrize(
    ("shelf", "expected"),
    [
        ([adapter(1, None, 1), adapter(2, 1, 1, 2, current=True)], 1),
        ([adapter(1, None, 1, base="other"), adapter(2, 1, 1, 2, current=True)], None),
        ([adapter(1, None, 1, withdrawn=True), adapter(2, 1, 1, 2, current=True)], None),
        # 2 made room for others; what was made from it is clean all the same
        (
            [
                adapter(1, None, 1),
                adapter(2, 1, 1, 3, has_weights=False),
                adapter(3, 2, 1, 2, 3, current=True),
            ],
            1,
        ),
        ([adapter(1, None, 1, has_weights=False), adapter(3, 1, 1, current=True)], 3),
        # 2 was deleted: 1 saw nothing that 3 did not see, so it stands in for the way back
        ([adapter(1, None, 1), adapter(3, 2, 1, 2, current=True)], 1),
        ([adapter(1, None, 1, 7), adapter(3, 2, 1, 2, current=True)], None),
        ([adapter(1, None, 1), adapter(2, None, 2), adapter(3, None, 1, current=True)], 3),
    ],
)
def test_the_newest_clean_ancestor_of_the_same_base_serves_then(
    shelf: list[KeptAdapter], expected: int | None
) -> None:
    found = serves_then(shelf, tainted(shelf, {2}), lambda digest: True)
    assert (found.number if found else None) == expected


def test_an_ancestor_that_does_not_open_is_passed_over() -> None:
    shelf = [adapter(1, None, 1), adapter(2, 1, 1, 3), adapter(3, 2, 2, current=True)]
    found = serves_then(shelf, tainted(shelf, {2}), lambda digest: digest != "sha-2")
    assert found is not None
    assert found.number == 1


# --------------------------------------------------------------------------- nights


def test_a_nights_plan_and_checkpoint_go_with_what_they_name(vault: Vault) -> None:
    item, other = kept(vault, "Monday.", "a.md"), kept(vault, "Tuesday.", "b.md")
    hit = vault.ledger.begin_night({"state": "yielding", "plan": [1, 2]})
    clean = vault.ledger.begin_night({"state": "yielding", "plan": [2]})
    for name in (NIGHTS.checkpoint(hit), NIGHTS.checkpoint(clean), "of no night"):
        vault.checkpoints.write(name, [CANARY.encode()])
    done = forget(vault, item)
    assert (done.nights, done.checkpoints) == ((hit,), 2)
    assert vault.checkpoints.names() == [NIGHTS.checkpoint(clean)]
    assert vault.ledger.night(hit)["plan"] == []
    assert vault.ledger.night(clean)["plan"] == [2]
    assert [head.item_id for head in vault.documents.heads()] == [other]


def test_a_night_that_started_from_what_fell_is_void(vault: Vault) -> None:
    item = kept(vault, "Monday.", "a.md")
    parent = shelve(vault, b"parent", item)
    vault.ledger.begin_night({"state": "yielding", "plan": [], "parent": parent.sha256})
    assert forget(vault, item).nights == (1,)


# --------------------------------------------------------------------------- the record


def test_the_record_says_what_was_done_in_numbers_and_digests(vault: Vault) -> None:
    item = kept(vault, f"{CANARY}.", "zennor.md")
    saw = shelve(vault, b"saw", item)
    forget(vault, item)
    (event,) = (one for one in vault.ledger.events() if one["kind"] == "forgotten")
    facts = event["facts"]
    assert (facts["scope"], facts["documents"], facts["adapters"]) == ("document", 1, [saw.sha256])
    assert (facts["items"], facts["serves"], facts["queued"]) == ([[item, item]], None, 0)
    assert len(numbers_in(facts["tombstones"])) >= 2
    assert not any(word in str(event) for word in ("heron", "zennor", "notes"))


def test_a_record_that_is_not_true_is_found_out(vault: Vault, folder: Path) -> None:
    item = kept(vault, f"{CANARY}.", "a.md")
    forget(vault, item)
    vault.close()
    with tampering(folder) as connection:
        connection.execute("DELETE FROM tombstones WHERE id = 1")
    with reopen(folder) as again:
        assert problems(again) == ["1 tombstones are missing"]
        assert put_outcome(again, "Edited.", "a.md") is not PutOutcome.FORGOTTEN
        event = again.ledger.events()[-1] | {"facts": {
            "items": [[2, 2]], "touched": [], "tombstones": [], "adapters": [],
        }}  # fmt: skip
        assert problems(again)
        assert check_forgotten(again, event)[0] == "documents of 1 forgotten items are there"


def test_neighbours_are_written_as_one_span() -> None:
    assert spans([5, 1, 2, 3, 9]) == [[1, 3], [5, 5], [9, 9]]
    assert numbers_in([[1, 3], [5, 5], [9, 9]]) == {1, 2, 3, 5, 9}
    assert spans([]) == []


# --------------------------------------------------------------------------- broken off


def prepared(vault: Vault) -> PublishedAdapter:
    """A vault with an item 1 that an adapter, a night and a checkpoint know."""
    item, other = kept(vault, f"{CANARY}.", "a.md"), kept(vault, "Tuesday.", "b.md")
    clean = shelve(vault, b"clean", other)
    shelve(vault, b"saw it", item, parent=clean)
    learn(vault)
    vault.ledger.begin_night({"state": "yielding", "plan": [1]})
    vault.checkpoints.write("night-1", [CANARY.encode()])
    return clean


MOMENTS = [
    "removal:documents",
    "forget:rows",
    "forget:tombstones",
    *FILE,
    "withdraw:adapter",
    "forget:adapters",
    "forget:nights",
    *COMMIT,
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_leaves_everything_or_nothing_of_it(vault: Vault, folder: Path, moment: str) -> None:
    clean = prepared(vault)
    vault.close()
    assert killed(folder, "forget", moment) == []
    with reopen(folder) as again:
        happened = moment in ("commit:after", "witness:written")
        items = {head.item_id for head in again.documents.heads()}
        assert items == ({2} if happened else {1, 2})
        current = again.shelf.current()
        assert current is not None
        assert (current.sha256 == clean.sha256) == happened
        assert again.shelf.weights(current.sha256)
        assert again.checkpoints.names() == ([] if happened else ["night-1"])
        assert again.ledger.night(1)["plan"] == ([] if happened else [1])
        assert again.verify().intact
        assert problems(again) == []
        assert len(list((folder / "files" / "adapters").iterdir())) == 2
        forget(again, 1)  # asked again
        assert put_outcome(again, f"{CANARY}.", "b2.md") is PutOutcome.FORGOTTEN
        assert again.verify().intact


def test_a_full_disk_forgets_nothing(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(vault)

    def full(*_: object) -> None:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr(vault._database, "_store_manifest", full)
        with pytest.raises(StorageFull):
            forget(vault, 1)
    assert len(vault.documents.heads()) == 2
    assert vault.checkpoints.names() == ["night-1"]
    assert vault.verify().intact
    forget(vault, 1)
    assert vault.verify().intact


def test_removed_documents_leave_no_key_and_may_come_again(vault: Vault) -> None:
    item = kept(vault, "Monday.", "a.md")
    kept(vault, "Monday. Tuesday.", "a.md")
    assert vault.documents.delete([1, 2, 77]) == 2
    assert vault.documents.delete([1]) == 0
    assert vault.documents.heads() == []
    assert vault.verify().intact
    assert kept(vault, "Monday.", "a.md") == item, "adapters know it by this number"
