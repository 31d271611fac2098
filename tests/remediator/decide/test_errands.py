"""A program is sent to a node once, and whoever goes on has made sure of its Pod first."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth import keys
from nodehealth.errand import Program
from nodehealth.kube.objects import Condition, Metadata, Node, NodeInfo
from nodehealth.outcome import Outcome, Result
from nodehealth.repair import Intent, NodeRepair, NodeRepairStatus, Phase, Rung
from remediator.decide import errands
from remediator.decide.boots import BOOT_SHOWS
from remediator.decide.envoys import START_PATIENCE, Claim, GiveUp, Make, Start, Stop, Succeed, Wait
from remediator.decide.errands import Errand, Look, Step
from remediator.decide.repairpods import (
    ContainerState,
    ContainerStatus,
    RepairPod,
    RepairPodSpec,
    RepairPodStatus,
    Terminated,
    Waiting,
)
from tests.builders import NOON, at, node, repair

PATIENCE: Final = timedelta(minutes=20)
REBOOT: Final = Errand(program=Program.REBOOT, lasts=timedelta(minutes=5))
RESET: Final = Errand(program=Program.RESET_GPU, lasts=timedelta(minutes=6), gpus=("GPU-1",))
LATE: Final = at(PATIENCE.total_seconds())
UNSTARTED: Final = at(START_PATIENCE.total_seconds())
SHOWN: Final = at(BOOT_SHOWS.total_seconds())
RUNS: Final = ContainerState()


def machine(boot: str = "boot-1", *, ready: bool = True, uid: str = "") -> Node:
    seen = node(ready=ready, uid=uid)
    return structs.replace(
        seen, status=structs.replace(seen.status, node_info=NodeInfo(boot_id=boot))
    )


def silent(boot: str = "boot-1") -> Node:
    seen = machine(boot)
    unknown = (Condition(type="Ready", status="Unknown"),)
    return structs.replace(seen, status=structs.replace(seen.status, conditions=unknown))


def pod(
    uid: str = "pod-1",
    *,
    on: str = "n1",
    phase: str = "Pending",
    state: ContainerState | None = None,
    leaving: bool = False,
    status: RepairPodStatus | None = None,
) -> RepairPod:
    statuses = (ContainerStatus(state=state),) if state is not None else ()
    said = status or RepairPodStatus(phase=phase, container_statuses=statuses)
    gone = NOON if leaving else None
    meta = Metadata(name="reboot-1", uid=uid, deletion_timestamp=gone)
    return RepairPod(metadata=meta, spec=RepairPodSpec(node_name=on), status=said)


def unsent(uid: str = "pod-1", *, leaving: bool = False) -> RepairPod:
    return pod(uid, on="", leaving=leaving)


def running(*, leaving: bool = False) -> RepairPod:
    return pod(phase="Running", state=RUNS, leaving=leaving)


def ended(result: Result, message: str = "words") -> RepairPod:
    words = msgspec.json.encode(Outcome(result=result, message=message)).decode()
    return pod(phase="Failed", state=ContainerState(terminated=Terminated(message=words)))


def sent(action: Program, *, boot: str = "boot-1") -> Intent:
    return Intent(action=action, key="k", issued_at=NOON, pod="pod-1", boot_id=boot)


def under(
    errand: Errand,
    intent: Intent | None,
    *,
    rung: int = 1,
    first: str = "drain",
    said: str = "said",
) -> NodeRepair:
    ladder = (Rung(action=first), Rung(action=errand.program))
    status = NodeRepairStatus(
        phase=Phase.REPAIRING, rung=rung, rung_since=NOON, intent=intent, message=said
    )
    made = repair("n1", status=status)
    target = structs.replace(made.spec.target, boot_id="boot-1")
    spec = structs.replace(made.spec, ladder=ladder, target=target)
    return structs.replace(made, spec=spec)


def step(
    found: RepairPod | None = None,
    *,
    errand: Errand = REBOOT,
    claimed: bool = True,
    seen: Node | None = None,
    now: datetime = NOON,
    made_for: str = "boot-1",
    under_: NodeRepair | None = None,
    absent: bool = False,
) -> Step:
    intent = sent(errand.program) if claimed else None
    look = Look(
        errand=errand,
        repair=under_ or under(errand, intent),
        node=None if absent else seen or machine(),
        pod=found,
        pod_boot=made_for,
        since=NOON,
        patience=PATIENCE,
        now=now,
    )
    return errands.next_step(look)


def called_off() -> RepairPod:
    made = unsent()
    noted = {keys.CALLED_OFF_ANNOTATION: "2026-01-01T12:00:00+00:00"}
    return structs.replace(made, metadata=structs.replace(made.metadata, annotations=noted))


@pytest.mark.parametrize("claimed", [False, True])
def test_what_was_called_off_is_never_started(claimed: bool) -> None:  # noqa: FBT001 - pytest
    stop = step(called_off(), claimed=claimed)

    assert isinstance(stop, Stop)
    assert stop.envoy == called_off()


def test_what_was_called_off_keeps_nothing() -> None:
    assert settled(Program.RESET_GPU, called_off())
    assert not settled(Program.RESET_GPU, unsent())


def test_a_pod_is_made_then_claimed_then_started() -> None:
    assert step(None, claimed=False) == Make()
    assert step(unsent(), claimed=False) == Claim(envoy=unsent())
    assert step(unsent()) == Start(envoy=unsent())
    assert step(running()) == Wait(message="reboot: its Pod runs")


@pytest.mark.parametrize("seen", [None, silent()], ids=["absent", "silent"])
@pytest.mark.parametrize("claimed", [False, True])
def test_nothing_is_sent_to_a_node_of_which_nothing_is_heard(
    seen: Node | None,
    claimed: bool,  # noqa: FBT001 - pytest
) -> None:
    found = unsent() if claimed else None

    waits = step(found, claimed=claimed, seen=seen, absent=seen is None)

    assert isinstance(waits, Wait)
    assert "silent" in waits.message


def test_what_could_not_be_sent_in_time_is_given_up_with_the_reason() -> None:
    given_up = step(None, claimed=False, seen=silent(), now=UNSTARTED)

    assert given_up == GiveUp(message="nobody could be sent to the node: said")


def test_a_pod_that_is_not_sent_goes_before_its_errand_is_given_up() -> None:
    assert step(unsent(), claimed=False, now=UNSTARTED) == Stop(envoy=unsent(), message="said")
    assert step(unsent(), now=UNSTARTED) == Stop(envoy=unsent(), message="said")


def test_what_has_to_happen_before_takes_its_time() -> None:
    patient = replace(RESET, after=timedelta(minutes=1))

    assert step(None, errand=patient, claimed=False, now=UNSTARTED) == Make()


def test_a_pod_of_another_boot_is_made_anew() -> None:
    removed = step(unsent(), claimed=False, made_for="boot-0")

    assert isinstance(removed, Stop)


def test_a_pod_that_nobody_claimed_and_somebody_started_is_no_business_of_ours() -> None:
    given_up = step(running(), claimed=False)

    assert isinstance(given_up, GiveUp)
    assert "somebody else started" in given_up.message


@pytest.mark.parametrize("claimed", [False, True])
def test_a_pod_that_is_being_deleted_is_waited_for(claimed: bool) -> None:  # noqa: FBT001 - pytest
    assert isinstance(step(unsent(leaving=True), claimed=claimed), Wait)


@pytest.mark.parametrize("claimed", [False, True])
def test_a_pod_that_a_finalizer_keeps_for_ever_is_not_waited_for_for_ever(
    claimed: bool,  # noqa: FBT001 - pytest
) -> None:
    """It was never started, and what is being deleted never will be."""
    kept = unsent(leaving=True)

    assert isinstance(step(kept, claimed=claimed, now=UNSTARTED), GiveUp)
    assert settled(Program.REBOOT, kept)


def test_a_machine_that_booted_since_the_fault_was_found_needs_no_program() -> None:
    over = step(None, claimed=False, seen=machine("boot-2"))

    assert over == Succeed(message="the machine booted anew since the fault was found")


def test_a_boot_that_an_earlier_rung_caused_is_not_taken_for_this_ones() -> None:
    rebooted = under(REBOOT, None, first="reboot")

    assert step(None, claimed=False, seen=machine("boot-2"), under_=rebooted) == Make()


def test_a_reboot_is_done_when_the_node_is_ready_in_another_boot() -> None:
    waits = step(running(), seen=machine("boot-2", ready=False))
    done = step(ended(Result.DONE), seen=machine("boot-2"))
    late = step(running(), seen=machine("boot-2", ready=False), now=LATE)

    assert isinstance(waits, Wait)
    assert done == Succeed(message="the machine booted anew, and its node is Ready")
    assert late == GiveUp(message="the machine booted anew, and was not Ready within 20m")


@pytest.mark.parametrize("found", [unsent(), running()], ids=["unsent", "running"])
def test_what_was_meant_for_the_last_boot_goes_before_anybody_goes_on(found: RepairPod) -> None:
    leaving = structs.replace(
        found, metadata=structs.replace(found.metadata, deletion_timestamp=NOON)
    )

    assert isinstance(step(found, seen=machine("boot-2")), Stop)
    assert isinstance(step(leaving, seen=machine("boot-2")), Wait)
    assert isinstance(step(leaving, seen=machine("boot-2"), now=LATE), Succeed)


def test_another_machine_of_that_name_ends_it() -> None:
    over = step(ended(Result.DONE), seen=machine("boot-2", uid="another"))

    assert over == Succeed(message="the node is another machine now")


def test_a_reboot_is_never_done_by_the_programs_word() -> None:
    assert isinstance(step(ended(Result.DONE)), Wait)
    assert isinstance(step(ended(Result.DONE), now=SHOWN), GiveUp)
    assert isinstance(step(ended(Result.DONE), seen=silent(), now=SHOWN), Wait)
    assert isinstance(step(ended(Result.DONE), seen=silent(), now=LATE), GiveUp)


def test_other_programs_are_believed() -> None:
    assert step(ended(Result.DONE), errand=RESET) == Succeed(message="words")
    assert step(ended(Result.DONE, ""), errand=RESET) == Succeed(message="Done")


@pytest.mark.parametrize("errand", [REBOOT, RESET], ids=["reboot", "reset-gpu"])
def test_a_program_that_refused_or_failed_says_why(errand: Errand) -> None:
    assert step(ended(Result.REFUSED), errand=errand) == GiveUp(
        message=f"{errand.program} refused: words"
    )
    assert step(ended(Result.FAILED), errand=errand) == GiveUp(
        message=f"{errand.program} failed: words"
    )


def test_a_program_that_left_no_words_came_to_nothing_but_may_have_brought_the_machine_down() -> (
    None
):
    killed = pod(phase="Failed", state=ContainerState(terminated=Terminated(exit_code=137)))

    assert isinstance(step(killed, errand=RESET), GiveUp)
    assert isinstance(step(killed, errand=REBOOT), Wait)
    assert isinstance(step(killed, errand=REBOOT, now=SHOWN), GiveUp)


@pytest.mark.parametrize("found", [None, unsent("pod-2")], ids=["none", "another"])
def test_a_pod_that_is_gone_never_comes_again(found: RepairPod | None) -> None:
    assert step(found, errand=RESET) == GiveUp(message="its Pod is gone; what was known last: said")
    assert isinstance(step(found, errand=REBOOT), Wait)
    assert isinstance(step(found, errand=REBOOT, now=SHOWN), GiveUp)


def test_what_a_node_does_not_start_is_taken_back() -> None:
    pulling = pod(state=ContainerState(waiting=Waiting(reason="ErrImagePull", message="no")))
    leaving = pod(leaving=True)

    assert isinstance(step(pulling), Wait)
    assert step(pulling, now=UNSTARTED) == Stop(
        envoy=pulling, message="the node did not start it: its Pod waits (ErrImagePull: no)"
    )
    assert step(leaving, now=UNSTARTED) == Wait(message="said")


def test_a_silent_node_is_not_waited_for_unless_it_may_be_booting() -> None:
    leaving = pod(leaving=True)

    assert isinstance(step(leaving, errand=RESET, seen=silent(), now=UNSTARTED), GiveUp)
    assert isinstance(step(leaving, errand=REBOOT, seen=silent(), now=UNSTARTED), Wait)


def test_what_runs_for_too_long_is_stopped_and_given_up() -> None:
    assert isinstance(step(running(), now=LATE), Stop)
    assert isinstance(step(running(leaving=True)), Wait)
    assert step(running(leaving=True), now=LATE) == GiveUp(
        message="it was not done within 20m: its Pod runs"
    )


def settled(
    action: Program,
    found: RepairPod | None,
    *,
    seen: Node | None = None,
    now: datetime = NOON,
) -> bool:
    return errands.is_settled(sent(action), found, seen or machine(), now)


def test_a_program_that_may_still_run_keeps_its_node() -> None:
    assert not settled(Program.RESET_GPU, running())
    assert not settled(Program.REBOOT, running(), now=LATE)


def test_a_program_that_ended_or_is_gone_keeps_nothing() -> None:
    assert settled(Program.RESET_GPU, ended(Result.FAILED))
    assert settled(Program.RESET_GPU, None)
    assert settled(Program.RESET_GPU, unsent("pod-2"))


def test_a_reboot_keeps_its_node_until_it_was_refused_or_would_have_shown() -> None:
    assert settled(Program.REBOOT, ended(Result.REFUSED))
    assert not settled(Program.REBOOT, ended(Result.FAILED))
    assert settled(Program.REBOOT, ended(Result.FAILED), now=SHOWN)
    assert not settled(Program.REBOOT, None, seen=silent(), now=LATE)
    assert not errands.is_settled(sent(Program.REBOOT), None, None, LATE)


def test_who_goes_on_after_a_reboot_that_nobody_saw_remembers_that_it_was_ordered() -> None:
    ordered = under(REBOOT, sent(Program.REBOOT))
    order = ordered.status.intent
    later = structs.replace(
        ordered, status=structs.replace(ordered.status, intent=None, rebooting=order)
    )

    for each in (ordered, later):
        assert errands.unseen_boot(each, silent(), LATE) == order
        assert errands.unseen_boot(each, None, LATE) == order
        assert errands.unseen_boot(each, machine(), NOON) == order
        assert errands.unseen_boot(each, machine(), SHOWN) is None
        assert errands.unseen_boot(each, machine("boot-2"), NOON) is None
    assert errands.unseen_boot(under(RESET, sent(Program.RESET_GPU)), silent(), LATE) is None
    assert errands.unseen_boot(under(RESET, None), silent(), LATE) is None


PODS: Final = st.one_of(
    st.none(),
    st.builds(unsent, st.sampled_from(["pod-1", "pod-2"]), leaving=st.booleans()),
    st.builds(running, leaving=st.booleans()),
    st.builds(ended, st.sampled_from(list(Result))),
)
NODES: Final = st.sampled_from([machine(), machine("boot-2"), silent(), machine(uid="another")])


@given(
    found=PODS,
    seen=NODES,
    errand=st.sampled_from([REBOOT, RESET]),
    seconds=st.integers(0, 3000),
    claimed=st.booleans(),
)
def test_only_the_pod_that_is_claimed_is_ever_started_and_in_its_own_boot(
    found: RepairPod | None,
    seen: Node,
    errand: Errand,
    seconds: int,
    claimed: bool,  # noqa: FBT001 - hypothesis
) -> None:
    decided = step(found, errand=errand, seen=seen, now=at(seconds), claimed=claimed)

    if isinstance(decided, Start):
        assert claimed
        assert decided.envoy.metadata.uid == "pod-1"
        assert decided.envoy.spec.node_name == ""
        assert seen.status.node_info.boot_id == "boot-1"


@given(found=PODS, seen=NODES, errand=st.sampled_from([REBOOT, RESET]), claimed=st.booleans())
def test_every_errand_has_ended_when_its_time_is_over(
    found: RepairPod | None,
    seen: Node,
    errand: Errand,
    claimed: bool,  # noqa: FBT001 - hypothesis
) -> None:
    decided = step(found, errand=errand, seen=seen, now=LATE, claimed=claimed)

    assert isinstance(decided, Succeed | GiveUp | Stop)
    if isinstance(decided, Stop):
        assert decided.envoy.metadata.deletion_timestamp is None
