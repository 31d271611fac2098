"""The programs have exactly the rights that they use."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
import yaml

from nodehealth import keys
from remediator.decide import competitors
from simulator import virtualtime
from simulator.api.audit import AuditEntry
from tests.deploy import story
from tests.deploy.manifests import DEPLOY, ROOT, objects

UNSERVED: Final = {f"nodemend-remediator: list {each}" for each in competitors.KINDS}
"""Rights to kinds of others: a cluster that has them not, as that of the story, hears of no one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One verb on one resource, for one account."""

    user: str
    verb: str
    resource: str
    """With group and subresource as in audits, such as `pods/eviction` or `leases.coordination…`"""
    namespace: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        names = f" {'|'.join(self.names)}" if self.names else ""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.user.rpartition(':')[2]}: {self.verb} {self.resource}{names}{where}"

    def covers(self, entry: AuditEntry) -> bool:
        part = f"/{entry.subresource}" if entry.subresource else ""
        return (
            (self.user, self.verb, self.resource)
            == (entry.user, entry.verb, f"{entry.resource}{part}")
            and self.namespace in {"", entry.namespace}
            and (not self.names or entry.name in self.names)
        )


def granted() -> Iterator[Right]:
    """Yield every single right of the manifests."""
    made = story.shipped()
    roles = {(each["kind"], each["metadata"]["name"]): each for each in made}
    for binding in (each for each in made if "roleRef" in each):
        role = roles[binding["roleRef"]["kind"], binding["roleRef"]["name"]]
        for subject in binding["subjects"]:
            user = f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
            namespace = binding["metadata"].get("namespace", "")
            for rule in role["rules"]:
                yield from _rights(user, namespace, rule)


def _rights(user: str, namespace: str, rule: Mapping[str, Any]) -> Iterator[Right]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            plural, slash, part = resource.partition("/")
            full = f"{plural}.{group}" if group else plural
            for verb in rule["verbs"]:
                yield Right(
                    user=user,
                    verb=verb,
                    resource=f"{full}{slash}{part}",
                    namespace=namespace,
                    names=tuple(rule.get("resourceNames", ())),
                )


@pytest.fixture(scope="module")
def asked() -> list[AuditEntry]:
    """All that the programs ask for in the course of everything that may happen."""

    async def play() -> list[AuditEntry]:
        async with story.staged() as scene:
            await story.everything(scene)
            assert scene.refused() == []
            return scene.asked

    return virtualtime.run(play())


def test_nothing_is_asked_for_that_is_not_granted(asked: list[AuditEntry]) -> None:
    assert [each for each in asked if each.code == 403] == []


def test_nothing_is_granted_that_nobody_asks_for(asked: list[AuditEntry]) -> None:
    unused = {str(right) for right in granted() if not any(map(right.covers, asked))}

    assert unused == UNSERVED


def test_what_is_remembered_is_kept_under_the_names_that_are_granted() -> None:
    names = {right.names for right in granted() if right.resource == "configmaps" and right.names}

    told = (f"{keys.TOLD}-{shard}" for shard in "0123456789abcdef")
    assert names == {(*told, keys.LEDGER_IN_USE)}


def test_no_right_is_a_wildcard() -> None:
    assert [str(right) for right in granted() if "*" in f"{right.verb}{right.resource}"] == []


def test_no_program_may_delete_other_pods_than_its_own_or_read_secrets() -> None:
    found = [(right.verb, right.resource, right.namespace) for right in granted()]

    assert {where for verb, what, where in found if (verb, what) == ("delete", "pods")} == {
        keys.REPAIR_NAMESPACE
    }
    assert "secrets" not in {resource for _, resource, _ in found}


def test_pods_are_made_and_sent_to_nodes_in_one_namespace_alone() -> None:
    made = [right for right in granted() if right.verb == "create"]
    found = {each.namespace for each in made if each.resource in {"pods", "pods/binding"}}

    assert found == {keys.REPAIR_NAMESPACE}


@virtualtime.played
async def test_an_agent_cannot_write_for_another_node() -> None:
    async with story.staged() as scene:
        said = await story.foreign_report(scene)

    assert "an agent writes only the NodeHealth that has the name of the node" in said


def test_every_right_is_explained() -> None:
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    plurals = {re.sub(r"\.[^/]*", "", right.resource) for right in granted()}

    assert [plural for plural in plurals if f"`{plural}`" not in text] == []


def test_accounts_are_bound_to_nothing_but_their_own_roles() -> None:
    for program in ("daemonset", "remediator"):
        kinds = [each for each in objects(DEPLOY / program) if each["kind"].endswith("Binding")]
        subjects = {each["subjects"][0]["name"] for each in kinds if "subjects" in each}

        assert len(subjects) == 1


def test_rights_to_the_locks_of_others_are_few_and_not_shipped_with_the_rest() -> None:
    shipped = {each["metadata"]["name"] for each in story.shipped()}
    apart = [
        each
        for path in sorted((DEPLOY / "coexistence").glob("*.yaml"))
        for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    verbs = {
        f"{resource}: {' '.join(rule['verbs'])}"
        for each in apart
        for rule in each.get("rules", ())
        for resource in rule["resources"]
    }

    assert verbs == {
        "daemonsets: get",
        "leases: get list create patch delete",
        "machines: get",
        "nodemaintenances: list",
    }
    assert shipped.isdisjoint({"nodemend-remediator-medik8s", "nodemend-remediator-kured"})
    assert {each["subjects"][0]["name"] for each in apart if "subjects" in each} == {
        keys.REMEDIATOR_MANAGER
    }
