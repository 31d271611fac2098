"""What Jobs of operators need is granted in one namespace, and only to who asks for it."""

from nodehealth import keys
from remediator.rules.policy import JOBS_NAMESPACE
from tests.deploy import story
from tests.deploy.manifests import DEPLOY, objects


def test_the_rights_to_jobs_are_few_in_one_namespace_and_not_shipped_with_the_rest() -> None:
    made = {each["kind"]: each for each in objects(DEPLOY / "jobs")}
    rules = made["Role"]["rules"]

    assert {(r, v) for rule in rules for r in rule["resources"] for v in rule["verbs"]} == {
        ("jobs", "get"),
        ("jobs", "create"),
        ("jobs", "patch"),
        ("podtemplates", "get"),
    }
    assert made["Namespace"]["metadata"]["name"] == JOBS_NAMESPACE
    assert {made[kind]["metadata"]["namespace"] for kind in ("Role", "RoleBinding")} == {
        JOBS_NAMESPACE
    }
    assert made["RoleBinding"]["subjects"][0]["namespace"] == keys.NAMESPACE
    assert made["Role"]["metadata"]["name"] not in {e["metadata"]["name"] for e in story.shipped()}
