"""The contract as a page: which behaviours of the Kubernetes API are pinned, and by which test.

`python -m tests.contract.listing` writes docs/contract-tests.md; a test sees that it was done.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parents[1] / "docs" / "contract-tests.md"
HEAD: Final = """# What nodemend relies on in the Kubernetes API

*Written by `python -m tests.contract.listing` from the tests; edit those.*

Each line is a test by its name, and the source of the fact that it pins. All of them run
against the emulator with every `make test`. They run against a real API server too, of Kubernetes
1.30 or newer, when `NODEMEND_TEST_KUBECONFIG` names the kubeconfig of an administrator:

    NODEMEND_TEST_KUBECONFIG=~/.kube/config .venv/bin/python -m pytest tests/contract

There they use Nodes without machines, namespaces and API groups of their own, all named `nmt-…`,
and delete them in the end. Lines marked *emulator* need switches that no real server has.
One line is a whole repair (`test_whole_repair.py`): a remediator in a corner of its own, beside
what stands in for the kubelet, the agent and the owner of a machine. It reads all Nodes and writes
to its own alone. Lend it a cluster in which no nodemend runs: it would take that one's fences for
losses of its own ledger.
**No real API server has been asked yet.**

## What no line asks

nodemend relies on these too. They are tried against the emulator alone, elsewhere in the tests,
so the emulator is believed here: ask a real server before you enforce anything.

- The ValidatingAdmissionPolicies of `deploy/admission`: that their CEL compiles
  (`status.typeChecking` has no warnings), and that each refuses what `docs/install.md` says, soon
  after it was applied, and lets the remediator and the agents through. They go by
  `authentication.kubernetes.io/node-name` in `request.userInfo.extra`, and by
  `object.spec == oldObject.spec` of a Pod that is bound.
- A Pod that no scheduler knows is bound by `pods/binding`, and not if its UID is another's.
- A Job that is made suspended starts nothing until a patch that tests its UID lets it run.
- `SelfSubjectReview`, by which commands know who types them.
- A Node that is marked `node.kubernetes.io/out-of-service` loses its pods and volume attachments.
- Rights: the roles of `deploy` grant what is used, with nothing that the emulator does not ask for.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One behaviour that a test pins."""

    sentence: str
    source: str
    real: bool
    """Whether it is tried on a real server too."""

    @property
    def line(self) -> str:
        """Return it as a line of the page."""
        where = "" if self.real else " *emulator*"
        return f"- {self.sentence}{where}  \n  {self.source}"


def behaviours(text: str) -> Iterator[Behaviour]:
    """Find what the tests of a module pin."""
    for part in ast.parse(text).body:
        if isinstance(part, ast.AsyncFunctionDef) and part.name.startswith("test_"):
            arguments = {argument.arg for argument in part.args.args}
            yield Behaviour(
                sentence=part.name.removeprefix("test_").replace("_", " "),
                source=" ".join((ast.get_docstring(part) or "").split()),
                real="cluster" in arguments,
            )


def sections() -> Iterator[tuple[str, list[Behaviour]]]:
    """Return the heading of every module that pins something, and what it pins."""
    for path in sorted(HERE.glob("test_*.py")):
        text = path.read_text()
        found = list(behaviours(text))
        if found:
            about = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
            yield f"{about.rstrip('.')} (`{path.name}`)", found


def page() -> str:
    """Write the page."""
    parts = [HEAD]
    for title, found in sections():
        lines = "\n".join(each.line for each in found)
        parts.append(f"## {title}\n\n{lines}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
