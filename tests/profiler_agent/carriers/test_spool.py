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
