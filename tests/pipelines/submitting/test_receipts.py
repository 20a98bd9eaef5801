"""A receipt is kept whole, found again by its source and cluster, and a spoilt one is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.log.connection import LogError
from pipelines.submitting.receipts import Place, Receipt, SentFile, as_before, joint_hash, keep, receipts_of

RECEIPT = Receipt(
    source_id="BGAS",
    topic="supplier.BGAS",
    cluster_id="one",
    sent_at="2026-07-01T09:00:00.000+00:00",
    sha256="a" * 64,
    single=False,
    records=1500,
    messages=2,
    checked={"accepted": 1499, "received": 1500, "rejected": 1},
    rejected_by_reason={"REGION_UNKNOWN": 1},
    files=(SentFile("MeterInstalled.avro", "a" * 64, 1500, 2, 3, 1),),
    offsets=(Place(0, 17, 18, 2),),
    already_sent=("MeterRemoved.avro",),
)


def test_a_receipt_is_found_again_as_it_was(tmp_path: Path) -> None:
    path = keep(tmp_path, RECEIPT)
    assert receipts_of(tmp_path, "BGAS", "one") == (RECEIPT,)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_receipts_of_other_sources_and_clusters_do_not_count(tmp_path: Path) -> None:
    keep(tmp_path, replace(RECEIPT, source_id="BGASX"))
    keep(tmp_path, replace(RECEIPT, cluster_id="two"))
    assert receipts_of(tmp_path, "BGAS", "one") == ()


def test_receipts_come_in_the_order_of_sending(tmp_path: Path) -> None:
    later = replace(RECEIPT, sent_at="2026-07-02T09:00:00.000+00:00")
    for receipt in (later, RECEIPT):
        keep(tmp_path, receipt)
    assert receipts_of(tmp_path, "BGAS", "one") == (RECEIPT, later)


def test_a_home_without_receipts_has_none(tmp_path: Path) -> None:
    assert receipts_of(tmp_path, "BGAS", "one") == ()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"files": 1}'])
def test_a_spoilt_receipt_is_told_and_not_passed_over(tmp_path: Path, text: str) -> None:
    keep(tmp_path, RECEIPT).write_text(text, encoding="utf-8")
    with pytest.raises(LogError, match=r"The receipt .* cannot be read"):
        receipts_of(tmp_path, "BGAS", "one")


def test_an_answer_to_the_same_content_differs_from_the_receipt_in_one_word() -> None:
    before, after = RECEIPT.json(), as_before(RECEIPT).json()
    assert {name for name in before if before[name] != after[name]} == {"again"}


def test_one_file_has_its_own_hash_and_several_one_that_depends_on_each_and_their_order() -> None:
    assert joint_hash(["a"]) == "a"
    assert len({joint_hash(["a", "b"]), joint_hash(["b", "a"]), joint_hash(["a", "c"]), joint_hash(["a"])}) == 4
