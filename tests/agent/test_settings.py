"""An operator's words become settings, or a precise complaint."""

import re
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Final

import pytest

from agent import settings
from agent.host.nvml.settings import Nvml
from agent.probes.filesystems import Filesystems
from nodehealth.kit import discovery
from nodehealth.kit.settings import SettingsError

ROOT: Final = Path(__file__).parents[2]


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.yaml"
    path.write_text(text)
    return path


def test_by_default_every_probe_runs() -> None:
    probes = settings.load({}).probes

    assert set(probes) == set(discovery.names("agent.probes"))
    assert probes["filesystems"] == Filesystems()


def test_the_environment_says_which_node_it_is() -> None:
    environ = {"NODE_NAME": "n1", "NODE_UID": "u1", "HOST_ROOT": "/host", "STATE_FILE": "/s"}

    found = settings.load(environ)

    assert (found.node, found.node_uid) == ("n1", "u1")
    assert (found.root, found.state_file) == (Path("/host"), Path("/s"))


def test_another_path_may_stand_for_the_kernels_log() -> None:
    assert settings.load({}).kmsg == Path("/dev/kmsg")
    assert settings.load({"KMSG_PATH": "/fifo"}).kmsg == Path("/fifo")


def test_the_file_sets_a_probe(tmp_path: Path) -> None:
    path = written(tmp_path, "probes: {filesystems: {interval: 10s, mounts: [/, /data]}}")

    found = settings.load({}, file=path)

    expected = Filesystems(interval=timedelta(seconds=10), mounts=("/", "/data"))
    assert found.probes["filesystems"] == expected


def test_a_probe_is_put_off(tmp_path: Path) -> None:
    probes = settings.load({}, file=written(tmp_path, "probes: {filesystems: off}")).probes

    assert set(settings.load({}).probes) - set(probes) == {"filesystems"}


@pytest.mark.parametrize("text", ["", "probes:", "probes: {filesystems: }"])
def test_a_file_may_say_nothing(tmp_path: Path, text: str) -> None:
    found = settings.load({}, file=written(tmp_path, text))

    assert found.probes == settings.load({}).probes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("probes: [", "expected YAML"),
        ("- probes", "expected settings by name, got ['probes']"),
        ("probe: {}", ": probe: unknown setting; known are probes, nvml, patterns"),
        ("probes: 3", ": probes: expected probes by name, got 3"),
        ("probes: {filesystem: }", ": probes: no probe named 'filesystem'; known are arrays"),
        ("probes: {filesystems: {mount: /}}", ": probes.filesystems.mount: unknown setting; known"),
        ("probes: {filesystems: {interval: often}}", "expected a duration such as 5m, got 'often'"),
        ("nvml: {interval: 10ms}", ": nvml: interval: expected 1s or more"),
        ("nvml: {library: /opt}", ": nvml.library: unknown setting; known are libraries, interval"),
        ("nvml: {libraries: /opt}", ": nvml.libraries: expected a list such as [/opt], got '/opt'"),
        ("patterns: [a]", ": patterns: expected the path of a folder, got ['a']"),
        ("nvml: 3", ": nvml: expected settings by name, got 3"),
        ("probes: {filesystems: on}", ": probes.filesystems: expected settings by name, got True"),
    ],
)
def test_a_mistake_in_the_file_is_said_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = written(tmp_path, text)

    with pytest.raises(SettingsError) as refused:
        settings.load({}, file=path)

    assert str(refused.value).startswith(str(path))
    assert message in str(refused.value)


def test_what_the_documents_advise_to_switch_on_is_a_setting(tmp_path: Path) -> None:
    lines = (ROOT / "docs/install.md").read_text().splitlines()
    rows = takewhile(str, lines[lines.index("| setting | what it gives |") + 2 :])
    advised = [text for row in rows for text in re.findall(r"`(.+?)`", row.split(" | ")[0])]

    assert len(advised) >= 8
    for text in advised:
        path = written(tmp_path, f"probes: {{{text}}}")
        told = settings.load({}, file=path).probes
        assert told[text.partition(":")[0]] != settings.load({}).probes[text.partition(":")[0]]


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"agent.yaml: expected a file, No such file"):
        settings.load({}, file=tmp_path / "agent.yaml")


def test_nvml_is_put_off_as_probes_are(tmp_path: Path) -> None:
    assert settings.load({}, file=written(tmp_path, "nvml: off")).nvml is None


def test_where_nvml_lies_is_taken_from_the_file_before_the_environment(tmp_path: Path) -> None:
    environ = {"NVML_LIBRARIES": "/a:/b"}
    path = written(tmp_path, "nvml: {libraries: [/c], links: 2m}")

    chosen, otherwise = settings.load(environ, file=path).nvml, settings.load(environ).nvml

    assert chosen == Nvml(libraries=("/c",), links=timedelta(minutes=2))
    assert otherwise == Nvml(libraries=("/a", "/b"))
    assert not Nvml().is_explicit


def test_a_pattern_that_is_wrong_stops_no_agent(tmp_path: Path) -> None:
    (tmp_path / "mine_patterns.yaml").write_text("kind: Other")

    chosen = settings.load({}, file=written(tmp_path, f"patterns: {tmp_path}"))

    assert chosen.patterns.good == ()
    assert chosen.patterns.problems == (
        f"{tmp_path}/mine_patterns.yaml.apiVersion: expected nodemend.dev/v1alpha1, got None",
    )


def test_an_agent_that_is_told_its_version_believes_it() -> None:
    assert settings.load({"AGENT_VERSION": "9.8.7"}).version == "9.8.7"
