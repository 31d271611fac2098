"""The lines of NVIDIA's drivers are understood in all their forms, and no others are."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import nvrm
from agent.host.nvrm import Fault, GspTimeout, Named, OffBus, Said, SXid, Xid
from tests.agent.kernellines import samples

KINDS = {"xid": Xid, "sxid": SXid, "named": Named, "off-bus": OffBus, "gsp-timeout": GspTimeout}
UUID = "GPU-0f5a1b2c-1111-2222-3333-444455556666"

SAID = [
    (
        (
            "NVRM: Xid (PCI:0000:61:00): 119, pid=1346198, name=nvidia-smi, Timeout waiting "
            "for RPC from GSP! Expected function 103 (GSP_RM_ALLOC) (0x80 0x38)."
        ),
        Xid(pci="0000:61:00.0", code=119, pid=1346198, process="nvidia-smi"),
    ),
    (
        "NVRM: Xid (PCI:0000:3b:00): 120, pid='<unknown>', name=<unknown>, GSP Error: Task 1",
        Xid(pci="0000:3b:00.0", code=120, process="<unknown>"),
    ),
    (
        "NVRM: Xid (PCI:0000:3b:00): 31, pid='77', name='python3', Ch 00000010, intr 00000000.",
        Xid(pci="0000:3b:00.0", code=31, pid=77, process="python3"),
    ),
    (
        "NVRM: Xid (PCI:0000:04:00): 79, GPU has fallen off the bus.",
        Xid(pci="0000:04:00.0", code=79),
    ),
    ("NVRM: Xid (0000:03:00): 14, Channel 00000001", Xid(pci="0000:03:00.0", code=14)),
    ("NVRM: Xid (PCI:0000:A3:00.0): 62", Xid(pci="0000:a3:00.0", code=62)),
    ("NVRM: Xid (PCI:00010000:01:00): 45, pid=9", Xid(pci="10000:01:00.0", code=45, pid=9)),
    (
        "NVRM: Xid (PCI:0008:01:00 GPU-I:05): 94, pid=1, name=x, Contained: SM (0x1)",
        Xid(pci="0008:01:00.0", code=94, pid=1, process="x", instance="05"),
    ),
    (
        (
            "NVRM: Xid (PCI:0000:c5:00): 145, RLW_SRC_TRACK Nonfatal XC1 i0 Link 17 (0x04084507 "
            "0x00000004 0x00000000 0x00000000 0x00000000 0x00000000"
        ),
        Xid(
            pci="0000:c5:00.0",
            code=145,
            fault=Fault(
                unit="RLW_SRC_TRACK", severity="Nonfatal", link=17, info=0x04084507, status=4
            ),
        ),
    ),
    (
        (
            "NVRM: Xid (PCI:0018:01:00): 146, pid=3, name=a b, TLW_RX_PIPE1  Fatal   XC0 i0 "
            "Link -1 (0x0000000b 0x00000004)"
        ),
        Xid(
            pci="0018:01:00.0",
            code=146,
            pid=3,
            process="a b",
            fault=Fault(unit="TLW_RX_PIPE1", severity="Fatal", link=-1, info=11, status=4),
        ),
    ),
    (
        "NVRM: Xid (PCI:0018:01:00): 149, something that nobody has seen yet",
        Xid(pci="0018:01:00.0", code=149),
    ),
    ("NVRM: GPU 0000:9b:00.0: GPU has fallen off the bus.", OffBus(pci="0000:9b:00.0")),
    (
        (
            "NVRM: The NVIDIA GPU 0000:9b:00.0 (PCI ID: 10de:2330) installed in this system has "
            "fallen off the bus and is not responding to commands."
        ),
        OffBus(pci="0000:9b:00.0"),
    ),
    ("NVRM: GPU at PCI:0000:9b:00.0 has fallen off the bus", OffBus(pci="0000:9b:00.0")),
    (
        (
            "nvidia-nvswitch3: SXid (PCI:0000:05:00.0): 12028, Non-fatal, Link 32 egress "
            "non-posted PRIV error (First)"
        ),
        SXid(pci="0000:05:00.0", code=12028, is_fatal=False, link=32),
    ),
    (
        "nvidia-nvswitch0: SXid (PCI:0000:05:00.0): 20034, Fatal, Link 30 LTSSM Fault Up",
        SXid(pci="0000:05:00.0", code=20034, is_fatal=True, link=30),
    ),
    (
        "nvidia-nvswitch0: SXid (PCI:0000:05:00.0): 10003, Fatal, Host_unhandled_interrupt",
        SXid(pci="0000:05:00.0", code=10003, is_fatal=True),
    ),
    (
        "NVRM: GPU6 _kgspIsHeartbeatTimedOut: Heartbeat timed out, currentTimeMs 812751949",
        GspTimeout(),
    ),
    (
        "NVRM: GPU 0000:9b:00.0: Timeout after 45s of waiting for RPC response from GPU0 GSP!",
        GspTimeout(pci="0000:9b:00.0"),
    ),
    (f"NVRM: GPU at PCI:0000:3b:00: {UUID}", Named(pci="0000:3b:00.0", uuid=UUID)),
]


@pytest.mark.parametrize(("text", "said"), SAID)
def test_a_line_says_what_it_says(text: str, said: Said) -> None:
    assert nvrm.said(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.54",
        "NVRM: Xid (PCI:0000:3b): 79, too short an address",
        "NVRM: Xid (PCI:0000:3b:00): seventy-nine",
        "NVRM: Xid (PCI:0000:3b:00) 79, no colon",
        "NVRM: Xid (PCI:0000:3b:00): 79GPU",
        "NVRM: Xid (PCI:0000:3b:00): 1234567, no code is so long",
        "app: NVRM: Xid (PCI:0000:3b:00): 79, a program that quotes the kernel",
        " NVRM: Xid (PCI:0000:3b:00): 79, indented",
        "nvidia-nvswitch1: SXid (PCI:0000:c2:00.0): 20012, Severity 1 Engine instance 30",
        "nvidia-nvswitch1: SXid (PCI:0000:c2:00.0): 20012, Data {0x00140004, 0x00100000}",
        "nvidia-nvswitch1: open (major=234)",
        "NVRM: GPU 0000:9b:00.0: RmInitAdapter failed! (0x24:0xffff:1568)",
        "NVRM: GPU at PCI:0000:3b:00: GPU-not-a-uuid",
        "NVRM: the GPU has fallen off the bus",
        "usb 1-1: device fallen off the bus, GPU 0000:9b:00.0",
        "watchdog: Heartbeat timed out",
        "",
    ],
)
def test_what_only_looks_alike_is_nothing(text: str) -> None:
    assert nvrm.said(text) is None


def test_there_is_a_meaning_for_each_pattern() -> None:
    assert {each.name for each in nvrm.PATTERNS} == set(nvrm._MEANING)


@pytest.mark.parametrize(("name", "each"), samples("nvidia").items())
def test_every_sample_of_a_pattern_is_of_its_kind_and_what_is_near_to_it_is_nothing(
    name: str, each: Mapping[str, Sequence[str]]
) -> None:
    assert {type(nvrm.said(text)).__name__ for text in each["says"]} == {KINDS[name].__name__}
    assert [nvrm.said(text) for text in each["unsaid"]] == [None] * len(each["unsaid"])


@given(
    st.one_of(
        st.text(),
        st.sampled_from([text for text, _ in SAID]).flatmap(
            lambda text: st.tuples(st.integers(0, len(text)), st.text(max_size=9)).map(
                lambda cut: text[: cut[0]] + cut[1] + text[cut[0] + len(cut[1]) :]
            )
        ),
    )
)
def test_no_line_is_too_strange(text: str) -> None:
    said = nvrm.said(text)

    assert said is None or text.startswith(("NVRM: ", "nvidia-nvswitch"))


@given(
    domain=st.integers(0, 0xFFFFF),
    bus=st.integers(0, 255),
    code=st.integers(1, 999),
    pid=st.one_of(st.none(), st.integers(1, 4_194_304)),
)
def test_every_xid_at_every_address_is_found(
    domain: int, bus: int, code: int, pid: int | None
) -> None:
    process = "" if pid is None else f", pid={pid}, name=python"
    said = nvrm.said(f"NVRM: Xid (PCI:{domain:04x}:{bus:02x}:00): {code}{process}, Whatever it is")

    assert isinstance(said, Xid)
    assert (said.pci, said.code, said.pid) == (f"{domain:04x}:{bus:02x}:00.0", code, pid)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("00000000:3B:00.0", "0000:3b:00.0"),
        ("0000:3b:00", "0000:3b:00.0"),
        ("PCI:0000:3b:00.1", "0000:3b:00.1"),
        ("00010000:01:00.0", "10000:01:00.0"),
    ],
)
def test_an_address_is_written_as_sysfs_has_it(written: str, address: str) -> None:
    assert nvrm.address(written) == address
