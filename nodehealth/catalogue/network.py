"""Signals of how a node's network is wired, what room it has left, and whether names resolve."""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.signals import FieldType, Kind, Signal, Unit

SIGNALS: Final = (
    Signal(
        name="net.slow",
        kind=Kind.LEVEL,
        about="A network interface has a slower link than it had, or one that is half duplex.",
        subject="interface",
        source="/sys/class/net/*/speed, in Mb/s, and duplex; `expected` is what the agent's "
        "settings say, else the most in this boot; not applicable without a link, and where the "
        "driver tells no speed",
        unit=Unit.BOOLEAN,
        fields={
            "speed": FieldType.INT,
            "expected": FieldType.INT,
            "duplex": FieldType.STRING,
        },
    ),
    Signal(
        name="net.mtu_changed",
        kind=Kind.LEVEL,
        about="A network interface has another MTU than before, or than it is to have.",
        subject="interface",
        source="/sys/class/net/*/mtu; `expected` is what the agent's settings say, else what it "
        "was when it was first seen in this boot",
        unit=Unit.BOOLEAN,
        fields={"mtu": FieldType.INT, "expected": FieldType.INT},
    ),
    Signal(
        name="net.bond_ports_down",
        kind=Kind.LEVEL,
        about="How many ports of a bond have no link, or are none of its any more.",
        subject="bond",
        source="/sys/class/net/*/bonding/slaves and the mii_status of each; `ports` is how many "
        "there are to be, else the most in this boot; `down` names those without a link",
        fields={"ports": FieldType.INT, "down": FieldType.STRING},
        urgent=True,
    ),
    Signal(
        name="net.conntrack_used_ratio",
        kind=Kind.LEVEL,
        about="How full the table of tracked connections is: when it is full, packets are lost.",
        subject="",
        source="/proc/sys/net/netfilter/nf_conntrack_count / nf_conntrack_max",
        unit=Unit.RATIO,
        grid=grids.NEARLY_FULL,
    ),
    Signal(
        name="net.ports_used_ratio",
        kind=Kind.LEVEL,
        about="TCP sockets of the host for each local port that it may give out, at most 1.",
        subject="",
        source="/proc/net/sockstat: inuse + tw of TCP, over ip_local_port_range; connections that "
        "were accepted count too, though they take no such port",
        unit=Unit.RATIO,
        grid=grids.NEARLY_FULL,
    ),
    Signal(
        name="net.dns_failing",
        kind=Kind.LEVEL,
        about="A name server of the node does not resolve the name that the settings give.",
        subject="address of the name server",
        source="a query over UDP to each name server of the host's resolv.conf, three tries of "
        "2 s; `why` is `silent` or what it answered; nothing unless a name is set",
        unit=Unit.BOOLEAN,
        fields={"why": FieldType.STRING},
        unknown="There is no name server to ask.",
    ),
)
