"""What the demo plays."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from nodehealth.kit.settings import SettingsError
from nodehealth.repair import Mode
from nodemend.demo import stage
from remediator.rules import documents, policies

LONG = timedelta(minutes=3)
EVERYTHING = {"node.ready", "disk.free_ratio"}


def test_this_machine_is_one_more_node_and_the_pools_have_one_slot_each() -> None:
    chosen = stage.default(100, "this-laptop", LONG, EVERYTHING)

    names = [name for pool in chosen.plan.pools for name in pool.names()]
    assert len(names) == 101
    assert "this-laptop" in names
    assert chosen.limits.pools == {"web": 1, "gpu": 1}


def test_the_machine_with_gpus_has_a_pool_of_its_own() -> None:
    chosen = stage.default(100, "this-laptop", LONG, EVERYTHING, box="gpu-box")

    assert [pool.names() for pool in chosen.plan.pools][-1] == ("gpu-box",)
    assert chosen.limits.pools == {"web": 1, "gpu": 1, "hgx": 1}


def test_the_policy_says_to_the_remediator_what_the_observer_holds_it_to() -> None:
    chosen = stage.default(100, "this-laptop", LONG, EVERYTHING)

    policy = policies.policy(documents.parse("policy.yaml", chosen.policy))

    assert policy.mode is Mode.ENFORCE
    assert {pool.name: pool.limit.disrupted for pool in policy.pools} == {"web": (1,), "gpu": (1,)}


@pytest.mark.parametrize("lasting", [timedelta(seconds=1), timedelta(seconds=20), LONG])
def test_nothing_new_goes_wrong_in_the_last_third(lasting: timedelta) -> None:
    chosen = stage.default(100, "this-laptop", lasting, EVERYTHING)

    assert max(each.targets.at for each in chosen.plan.faults) <= lasting * 2 / 3


def test_nothing_goes_wrong_that_no_rule_would_mend() -> None:
    chosen = stage.default(100, "this-laptop", LONG, {"disk.free_ratio"})

    assert {each.name for each in chosen.plan.faults} == {"disk-full"}


def test_the_smallest_cluster_is_played_too() -> None:
    chosen = stage.default(1, "this-laptop", LONG, EVERYTHING)

    assert stage.sick(chosen.plan) == 1


def test_a_scenario_whose_faults_come_too_late_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "late.yaml"
    fault = {"disk-full": {"at": "150s", "node": "general-1"}}
    body = {"apiVersion": "simulator.nodemend.dev/v1", "kind": "Scenario"}
    path.write_text(yaml.safe_dump({**body, "spec": {"faults": [fault]}}))

    with pytest.raises(SettingsError, match=r"within two thirds of --for 3m.*after 2m30s"):
        stage.from_file(path, "this-laptop", LONG)


def test_more_nodes_than_a_laptop_bears_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "vast.yaml"
    pools = [{"name": "a", "nodes": 20_000}, {"name": "b", "nodes": 1}]
    body = {"apiVersion": "simulator.nodemend.dev/v1", "kind": "Scenario"}
    path.write_text(yaml.safe_dump({**body, "spec": {"pools": pools}}))

    with pytest.raises(SettingsError, match=r"expected at most 20000 nodes, got 20001"):
        stage.from_file(path, "this-laptop", LONG)


def test_this_machine_joins_the_first_pool_of_a_scenario(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text("apiVersion: simulator.nodemend.dev/v1\nkind: Scenario\n")

    chosen = stage.from_file(path, "this-laptop", LONG)

    assert chosen.plan.pools[0].external == ("this-laptop",)
