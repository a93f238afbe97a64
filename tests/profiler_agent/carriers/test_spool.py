from pathlib import Path

from profiler_agent.carriers.spool import Spool
from shared.protocol.measurement import Result


def result(item_id: str) -> Result:
    return Result("lease/1", 1, item_id, "ok")


def test_keeps_results_in_order_over_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for number in range(12):
        spool.add(result(str(number)))
    again = Spool(tmp_path)
    again.add(result("last"))
    assert [waiting.result for waiting in again.waiting()] == [
        *(result(str(number)) for number in range(12)),
        result("last"),
    ]


def test_forgets_what_has_arrived(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(result("a"))
    spool.add(result("b"))
    spool.remove(next(spool.waiting()).path)
    assert [waiting.result.item_id for waiting in spool.waiting()] == ["b"]
    assert len(spool) == 1


def test_sets_aside_what_cannot_be_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(result("a"))
    (tmp_path / "000000000.json").write_text('{"lease_id": "le')
    assert [waiting.result.item_id for waiting in spool.waiting()] == ["a"]
    assert (tmp_path / "refused" / "000000000.json").exists()
    assert len(Spool(tmp_path)) == 1


def test_ignores_a_result_that_was_half_written(tmp_path: Path) -> None:
    (tmp_path / "000000003.part").write_text("{")
    assert len(Spool(tmp_path)) == 0


def test_gives_what_is_of_one_hand_out_together(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    hand_outs = [("a", 1), ("a", 1), ("a", 2), ("b", 2), ("b", 2), ("b", 2)]
    for number, (lease_id, fence) in enumerate(hand_outs):
        spool.add(Result(lease_id, fence, str(number), "ok"))
    batches = [[each.result.item_id for each in batch] for batch in spool.batches(1 << 20)]
    assert batches == [["0", "1"], ["2"], ["3", "4", "5"]]


def test_parts_are_small_unless_one_result_is_large(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for number, length in enumerate((10, 10, 5000, 10, 10)):
        spool.add(Result("a", 1, str(number), "error", "x" * length))
    batches = [[each.result.item_id for each in batch] for batch in spool.batches(4000)]
    assert batches == [["0", "1"], ["2"], ["3", "4"]]
