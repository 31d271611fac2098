"""What a port counts is told by its growth, and what does not count for quiet by nobody."""

import shutil
from pathlib import Path
from random import Random

import pytest

from agent.probes.rdma import RDMA, SYMBOLS
from agent.readings import Aside, Gap, Memo
from tests.agent.trees import Tree
from tests.agent.watched import Watch

PORT = "mlx5_0/1"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with one InfiniBand port."""
    machine = Tree(root=tmp_path)
    machine.adapter("mlx5_0")
    machine.up(100)
    return machine


@pytest.fixture
def watch(tree: Tree) -> Watch:
    """An agent that has not looked at it yet."""
    return Watch(RDMA(), tree.host)


async def test_what_a_port_counts_is_told_by_its_growth(tree: Tree, watch: Watch) -> None:
    tree.count("mlx5_0", symbol_error=5, port_rcv_errors=7, link_downed=3, port_xmit_discards=0)
    tree.count("mlx5_0", local_link_integrity_errors=1, excessive_buffer_overrun_errors=1)
    tree.count("mlx5_0", hw_rnr_nak_retry_err=9, link_error_recovery=1)
    await watch.look()
    tree.up(130)
    tree.count("mlx5_0", symbol_error=1205, port_rcv_errors=607, link_downed=5)
    tree.count("mlx5_0", local_link_integrity_errors=2, excessive_buffer_overrun_errors=3)
    tree.count("mlx5_0", hw_rnr_nak_retry_err=10, link_error_recovery=3)

    told = await watch.look()

    assert (told["ib.errors", PORT], told["ib.drops", PORT]) == (60, 0)
    assert watch.events == {
        ("ib.link_downed", PORT): 2,
        ("ib.integrity_errors", PORT): 3,
        ("ib.retries_exceeded", PORT): 1,
        ("ib.link_recoveries", PORT): 2,
    }


async def test_an_efa_tells_what_it_sends_again_and_drops(tree: Tree, watch: Watch) -> None:
    tree.adapter("mlx5_0", layer="Unspecified", rate="100 Gb/sec")
    tree.count("mlx5_0", hw_retrans_pkts=1, hw_rx_drops=1, hw_unresponsive_remote_events=0)
    await watch.look()
    tree.up(110)
    tree.count("mlx5_0", hw_retrans_pkts=25001, hw_rx_drops=3001, hw_unresponsive_remote_events=2)

    told = await watch.look()

    assert (told["ib.retransmits", PORT], told["ib.drops", PORT]) == (2000, 300)
    assert watch.events == {("ib.retries_exceeded", PORT): 2}


async def test_an_efa_tells_which_reads_and_writes_of_it_failed(tree: Tree, watch: Watch) -> None:
    tree.count("mlx5_0", hw_rdma_read_wr_err=4, hw_rdma_write_wr_err=1)
    await watch.look()
    tree.count("mlx5_0", hw_rdma_read_wr_err=6, hw_rdma_write_wr_err=4)
    await watch.look()

    assert watch.events == {("ib.requests_failed", PORT): 5}


async def test_more_damaged_symbols_than_an_hour_may_have_are_told_until_one_had_fewer(
    tree: Tree, watch: Watch
) -> None:
    told = []
    for minutes, total in ((0, 5), (20, 124), (59, 125), (60, 130), (119, 130), (120, 130)):
        tree.up(60 * minutes)
        tree.count("mlx5_0", symbol_error=total)
        told.append((await watch.look())[SYMBOLS, PORT])

    assert told == [0, 0, 120, 120, 120, 0]


async def test_of_a_port_without_a_clean_symbol_no_step_more_is_told_than_ten(
    tree: Tree, watch: Watch
) -> None:
    told = set()
    for look in range(300):
        tree.up(30 * look)
        tree.count("mlx5_0", symbol_error=100 * look)
        told.add((await watch.look())[SYMBOLS, PORT])

    assert told == {120 * step for step in range(11)}
    assert watch.levels[SYMBOLS, PORT].value == 1200


def refusing(tree: Tree, counter: str) -> Path:
    """Put a file in a counter's place that a real kernel refuses to let be read."""
    file = tree.root / "sys/class/infiniband/mlx5_0/ports/1/counters" / counter
    file.parent.mkdir(parents=True, exist_ok=True)
    file.symlink_to("/sys/class/net/lo/speed")
    with pytest.raises(OSError, match="Invalid argument"):
        file.read_text()
    return file


def refusal(aside: Aside) -> bool:
    return isinstance(aside, Memo) and "refused" in aside.fields


def refused(told: list[Aside]) -> set[str]:
    return {str(each.fields["refused"]) for each in told if isinstance(each, Memo)}


def gaps(watch: Watch) -> list[str]:
    """Return what the last look says that it could not watch."""
    return [each.why for each in watch.asides if isinstance(each, Gap)]


async def test_a_counter_that_refused_is_never_touched_again_not_even_by_another_agent(
    tree: Tree, watch: Watch
) -> None:
    file = refusing(tree, "symbol_error")
    tree.count("mlx5_0", port_rcv_errors=0)
    await watch.look()
    told = [each for each in watch.asides if refusal(each)]
    file.unlink()
    tree.count("mlx5_0", symbol_error=1_000_000)

    await watch.look()
    watch.restart(tree.host)
    tree.up(200)
    await watch.look()
    tree.up(300)
    tree.count("mlx5_0", symbol_error=9_000_000)

    assert (await watch.look())["ib.errors", PORT] == "unknown"
    assert refused(told) == {"counters/symbol_error"}
    assert [each for each in watch.asides if refusal(each)] == told


async def test_a_look_that_nobody_waited_for_remembers_the_refusal_too(tree: Tree) -> None:
    file, host = refusing(tree, "link_downed"), tree.host
    await host.network.adapters({})
    file.unlink()
    tree.count("mlx5_0", link_downed=7)

    (adapter,) = await host.network.adapters({})

    assert adapter.ports[0].counters == {}


async def test_a_sum_of_which_a_part_refuses_is_unknown_and_the_probe_says_which(
    tree: Tree, watch: Watch
) -> None:
    refusing(tree, "port_rcv_errors")
    tree.count("mlx5_0", symbol_error=1, hw_rdma_read_wr_err=0)
    await watch.look()
    tree.up(130)

    assert (await watch.look())["ib.errors", PORT] == "unknown"
    assert gaps(watch) == [f"{PORT}: counters/port_rcv_errors cannot be read"]
    assert watch.report.probes[0].message == f"{PORT}: counters/port_rcv_errors cannot be read"


async def test_damaged_symbols_that_cannot_be_read_are_unknown(tree: Tree, watch: Watch) -> None:
    refusing(tree, "symbol_error")

    assert (await watch.look())[SYMBOLS, PORT] == "unknown"


async def test_events_of_which_a_part_refuses_do_not_count_by_half(
    tree: Tree, watch: Watch
) -> None:
    refusing(tree, "excessive_buffer_overrun_errors")
    tree.count("mlx5_0", local_link_integrity_errors=1)
    await watch.look()
    tree.count("mlx5_0", local_link_integrity_errors=3)
    await watch.look()

    assert watch.events == {}
    assert gaps(watch) == [f"{PORT}: counters/excessive_buffer_overrun_errors cannot be read"]


def lost(tree: Tree, counter: str) -> None:
    (tree.root / "sys/class/infiniband/mlx5_0/ports/1" / counter).unlink()


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_counter_that_is_gone_for_a_look_makes_no_burst(
    tree: Tree, watch: Watch, *, restarts: bool
) -> None:
    tree.count("mlx5_0", symbol_error=5, port_rcv_errors=1_000_000)
    tree.count("mlx5_0", hw_rdma_read_wr_err=5, hw_rdma_write_wr_err=1_000_000)
    told = []
    await watch.look()
    for look in range(1, 5):
        tree.up(100 + 30 * look)
        if look == 1:
            lost(tree, "counters/port_rcv_errors")
            lost(tree, "hw_counters/rdma_write_wr_err")
        if look == 2 and restarts:
            watch.restart(tree.host)
        if look == 3:
            tree.count("mlx5_0", port_rcv_errors=1_000_000, hw_rdma_write_wr_err=1_000_000)
        told.append((await watch.look()).get(("ib.errors", PORT)))

    assert told == ["unknown", "unknown", None, 0]
    assert watch.events == {}


async def test_a_counter_that_comes_back_with_its_port_makes_no_burst(
    tree: Tree, watch: Watch
) -> None:
    tree.count("mlx5_0", hw_rdma_read_wr_err=5, hw_rdma_write_wr_err=1_000_000)
    await watch.look()
    shutil.rmtree(tree.root / "sys/class/infiniband/mlx5_0")
    await watch.look()
    tree.adapter("mlx5_0")
    tree.count("mlx5_0", hw_rdma_read_wr_err=5)
    await watch.look()
    assert gaps(watch) == [f"{PORT}: hw_counters/rdma_write_wr_err is gone"]

    tree.count("mlx5_0", hw_rdma_write_wr_err=1_000_000)
    await watch.look()

    assert watch.events == {}


async def test_a_counter_that_was_not_there_yet_makes_no_burst(tree: Tree, watch: Watch) -> None:
    tree.count("mlx5_0", hw_rdma_read_wr_err=5, local_link_integrity_errors=0)
    await watch.look()
    tree.count("mlx5_0", hw_rdma_write_wr_err=1_000_000, excessive_buffer_overrun_errors=15)
    await watch.look()
    tree.count("mlx5_0", hw_rdma_write_wr_err=1_000_001)
    await watch.look()
    assert watch.events == {}

    tree.count("mlx5_0", hw_rdma_write_wr_err=1_000_003)
    await watch.look()

    assert watch.events == {("ib.requests_failed", PORT): 2}


async def test_an_hour_goes_on_when_its_counter_was_gone_for_a_look(
    tree: Tree, watch: Watch
) -> None:
    tree.count("mlx5_0", symbol_error=5)
    await watch.look()
    lost(tree, "counters/symbol_error")
    assert (await watch.look())[SYMBOLS, PORT] == "unknown"

    tree.count("mlx5_0", symbol_error=125)

    assert (await watch.look())[SYMBOLS, PORT] == 120


@pytest.mark.parametrize(
    ("counter", "full", "level"),
    [
        ("symbol_error", 65535, "ib.errors"),
        ("symbol_error", 65535, SYMBOLS),
        ("port_rcv_errors", 65535, "ib.errors"),
        ("port_xmit_discards", 65535, "ib.drops"),
    ],
)
async def test_a_level_whose_counter_is_full_is_unknown_until_it_is_cleared(
    tree: Tree, watch: Watch, counter: str, full: int, level: str
) -> None:
    told = []
    for look, total in enumerate((full - 1, full, full, 0, 3)):
        tree.up(100 + 30 * look)
        tree.count("mlx5_0", **{counter: total})
        told.append((await watch.look()).get((level, PORT)))

    assert told[1:3] == ["unknown", "unknown"]
    assert told[4] == 0


@pytest.mark.parametrize(
    ("counter", "full", "event"),
    [
        ("local_link_integrity_errors", 15, "ib.integrity_errors"),
        ("excessive_buffer_overrun_errors", 15, "ib.integrity_errors"),
        ("link_downed", 255, "ib.link_downed"),
        ("link_error_recovery", 255, "ib.link_recoveries"),
    ],
)
async def test_events_count_until_their_counter_is_full_and_from_when_it_is_cleared(
    tree: Tree, watch: Watch, counter: str, full: int, event: str
) -> None:
    told = []
    for total in (full - 2, full - 1, full, full, 0, 3):
        tree.count("mlx5_0", **{counter: total})
        await watch.look()
        told.append(gaps(watch))

    is_full = [f"{PORT}: counters/{counter} is full"]
    assert told == [[], [], is_full, is_full, [], []]
    assert watch.events == {(event, PORT): 5}


async def test_a_counter_beyond_what_infiniband_gives_it_is_not_full(
    tree: Tree, watch: Watch
) -> None:
    tree.count("mlx5_0", symbol_error=65536, port_rcv_errors=0, link_downed=256)
    await watch.look()
    tree.up(130)
    tree.count("mlx5_0", symbol_error=66136, link_downed=257)

    assert (await watch.look())["ib.errors", PORT] == 20
    assert watch.events == {("ib.link_downed", PORT): 1}
    assert gaps(watch) == []


async def test_a_link_so_bad_that_it_fills_its_counter_at_once_is_told_for_two_hours(
    tree: Tree, watch: Watch
) -> None:
    told = []
    for minutes, total in (
        (0, 0),
        (1, 65535),
        (59, 65535),
        (61, 65535),
        (119, 65535),
        (122, 65535),
    ):
        tree.up(60 * minutes)
        tree.count("mlx5_0", symbol_error=total)
        told.append((await watch.look())[SYMBOLS, PORT])

    assert told == [0, 1200, 1200, 1200, 1200, "unknown"]


async def test_an_hour_of_a_busy_healthy_fabric_changes_nothing(tree: Tree, watch: Watch) -> None:
    """Congestion makes retransmits and a few drops, bits flip now and then."""
    random = Random(5)
    total = dict.fromkeys(("symbol_error", "port_xmit_discards", "hw_roce_slow_restart"), 0)
    tree.count("mlx5_0", link_downed=1, hw_rnr_nak_retry_err=0, **total)
    for look in range(3):
        tree.up(100 + 30 * look)
        await watch.look()
    before = watch.report

    for look in range(3, 123):
        tree.up(100 + 30 * look)
        total["symbol_error"] += random.choice([0, 0, 0, 1, 2])
        total["port_xmit_discards"] += random.randint(0, 1500)
        total["hw_roce_slow_restart"] += random.randint(0, 40_000)
        tree.count("mlx5_0", **total)
        await watch.look()

    assert watch.report == before
