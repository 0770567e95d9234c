"""What the preview says of new documents besides: their facts, and why some are left out."""

from daemon.previewing import totals, with_facts
from trainer.curation_facts import TextFacts

LOG = TextFacts(document_id=2, language="en", quality=0.1, reason="log", twin_of=None, family=2)
COPY = TextFacts(
    document_id=3, language="de", quality=0.8, reason="near_duplicate", twin_of=1, family=1
)


def test_each_document_has_its_facts_and_one_without_any_is_wanted() -> None:
    listed = with_facts([{"document": n, "path": f"{n}.md"} for n in (1, 2, 3)], {2: LOG, 3: COPY})
    assert [one["left_out"] for one in listed] == [None, "log", "near_duplicate"]
    assert [one["twin_of"] for one in listed] == [None, None, 1]
    assert [one["language"] for one in listed] == [None, "en", "de"]
    assert [one["path"] for one in listed] == ["1.md", "2.md", "3.md"]


def test_what_is_left_out_is_counted_by_reason() -> None:
    listed = [{"left_out": reason} for reason in ("log", None, "table", "log", None)]
    assert totals(listed)["left_out"] == {"log": 2, "table": 1}
    assert totals([])["left_out"] == {}
