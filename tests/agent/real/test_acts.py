"""What really breaks in a namespace of its own is seen, and seen to be well again."""

from pathlib import Path

from tests.agent.real.stage import played


def test_local_ports_that_are_all_taken_and_given_back() -> None:
    assert played("ports", namespaces="-n") == [0, 0.9, 0]


def test_connections_that_fill_a_small_table_and_are_forgotten(tmp_path: Path) -> None:
    assert played("tracked", str(tmp_path), namespaces="-n") == [0, 0.9, 0]


def test_a_name_server_that_is_stopped_and_continued() -> None:
    assert played("names", namespaces="-n") == [0, 1, 0]


def test_a_peer_whose_cable_is_cut_and_mended() -> None:
    there, cut, back = played("peers", namespaces="-n")

    assert (there[0], cut, back[0]) == (0, [1, "notApplicable"], 0)


def test_an_interface_that_turns_slow_or_takes_other_packets(tmp_path: Path) -> None:
    assert played("wires", str(tmp_path), namespaces="-n") == [
        [0, 0],
        [1, 0],
        [0, 0],
        [1, 0],
        [0, 0],
        [0, 1],
        [0, 0],
    ]


def test_threads_and_watches_that_run_out_and_are_there_again() -> None:
    assert played("threads", namespaces="-pf --mount-proc") == [[0.5, 0], [0, 1], [0.5, 0]]


def test_processes_that_hang_or_pile_up_or_begin_anew(tmp_path: Path) -> None:
    seen = played("processes", str(tmp_path), namespaces="-pf --mount-proc")

    assert seen == [
        [0, 0, 0],
        [1, 0, 0],
        [0, 0, 0],
        [0, 250, 0],
        [0, 0, 0],
        [0, 0, 1],
        [0, 0, 1],
    ]


def test_a_mount_of_which_nobody_answers_until_somebody_does(tmp_path: Path) -> None:
    assert played("mounts", str(tmp_path)) == [1, 1, 0]
