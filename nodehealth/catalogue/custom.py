"""Signals of checks that somebody wrote for their own machines."""

from typing import Final

from nodehealth.signals import FieldType, Kind, Signal

SIGNALS: Final = (
    Signal(
        name="custom.check",
        kind=Kind.LEVEL,
        about="What a check of the operator's own says: 0 it is well, 1 a warning, 2 it is bad.",
        subject="check: the name of its file, or condition and reason of an NPD rule",
        source="exit code of an executable in the agent's directory of checks: 0, 1 or 2 as of a "
        "Nagios plugin; of a node-problem-detector rule, 1 is bad where the rule is permanent and "
        "a warning where it is temporary; `status` is ok, warning, critical or unknown, `message` "
        "the first line that it wrote when it began to say so",
        fields={"status": FieldType.STRING, "message": FieldType.STRING},
        unknown="The check says so itself, did not end in time, was killed, ended in another way, "
        "has not run yet, or may not be run: everybody may write to it.",
    ),
    Signal(
        name="kernel.custom",
        kind=Kind.EVENT,
        about="The kernel's log has a line that a pattern of the operator's own asks for.",
        subject="pattern: its name",
        source="kernel log lines and the agent's files of patterns; `part` is what the pattern's "
        "group of that name found, such as a device: a dozen of each pattern, all further ones "
        "are `others`",
        fields={"part": FieldType.STRING},
    ),
)
