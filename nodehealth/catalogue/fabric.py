"""Signals of the fabric between machines: InfiniBand, RoCE and EFA."""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.signals import FieldType, Kind, Signal, Unit

_PORT: Final = "adapter and port, such as mlx5_0/1"
_UNCOUNTED: Final = (
    "One of its counters refused to be read in this boot, was there and is gone, has come just "
    "now, or is full."
)

SIGNALS: Final = (
    Signal(
        name="ib.device_missing",
        kind=Kind.LEVEL,
        about="An RDMA adapter that was there in this boot is gone.",
        subject="adapter, such as mlx5_0",
        source="/sys/class/infiniband: no such adapter, and its device is off the bus or has lost "
        "a driver that is loaded; not applicable while it has one, and while the driver is "
        "unloaded, as in an upgrade",
        unit=Unit.BOOLEAN,
        urgent=True,
        unknown="There is no adapter of a name that the agent's settings give.",
    ),
    Signal(
        name="ib.port_down",
        kind=Kind.LEVEL,
        about="An InfiniBand, RoCE or EFA port that was active in this boot is not.",
        subject=_PORT,
        source="/sys/class/infiniband/*/ports/*/state; `link` is `up` if phys_state is LinkUp and "
        "else `down`, `layer` is link_layer; not applicable until it was active, unless the "
        "agent's settings name its adapter, and while the port, or the interface that it is of, is "
        "disabled or with a pod",
        unit=Unit.BOOLEAN,
        fields={"layer": FieldType.STRING, "link": FieldType.STRING},
        urgent=True,
    ),
    Signal(
        name="ib.port_slow",
        kind=Kind.LEVEL,
        about="An active port runs at a lower rate than it had in this boot or is to have.",
        subject=_PORT,
        source="/sys/class/infiniband/*/ports/*/rate, in Gb/s; `expected` is what the agent's "
        "settings say, else the most in this boot; not applicable while it is not active",
        unit=Unit.BOOLEAN,
        fields={"rate": FieldType.INT, "expected": FieldType.INT},
    ),
    Signal(
        name="ib.errors",
        kind=Kind.LEVEL,
        about="Damaged symbols and packets a second that a port receives.",
        subject=_PORT,
        source="growth of counters/symbol_error + port_rcv_errors between two looks",
        unit=Unit.PER_SECOND,
        grid=grids.TEN_A_SECOND,
        unknown=_UNCOUNTED,
    ),
    Signal(
        name="ib.symbol_errors",
        kind=Kind.LEVEL,
        about="Symbols that a port received damaged within an hour, 1200 where there were more.",
        subject=_PORT,
        source="growth of counters/symbol_error in the present hour or in the one before, "
        "whichever is more; an hour begins when the one before has ended",
        grid=grids.HUNDRED_AND_TWENTY,
        unknown=_UNCOUNTED,
    ),
    Signal(
        name="ib.drops",
        kind=Kind.LEVEL,
        about="Packets a second that a port throws away.",
        subject=_PORT,
        source="growth of counters/port_xmit_discards + hw_counters/rx_drops between two looks",
        unit=Unit.PER_SECOND,
        grid=grids.HUNDRED_A_SECOND,
        unknown=_UNCOUNTED,
    ),
    Signal(
        name="ib.retransmits",
        kind=Kind.LEVEL,
        about="How often a second a port has to send again; some congestion is usual.",
        subject=_PORT,
        source="growth of hw_counters/retrans_pkts, or local_ack_timeout_err + packet_seq_err + "
        "roce_slow_restart, between two looks",
        unit=Unit.PER_SECOND,
        grid=grids.THOUSAND_A_SECOND,
        unknown=_UNCOUNTED,
    ),
    Signal(
        name="ib.link_downed",
        kind=Kind.EVENT,
        about="A port lost its link: one outage.",
        subject=_PORT,
        source="growth of counters/link_downed",
    ),
    Signal(
        name="ib.link_recoveries",
        kind=Kind.EVENT,
        about="A port's link had to be trained anew and came back by itself.",
        subject=_PORT,
        source="growth of counters/link_error_recovery",
    ),
    Signal(
        name="ib.integrity_errors",
        kind=Kind.EVENT,
        about="A port's own hardware failed to keep its link clean, or its buffers ran over.",
        subject=_PORT,
        source="growth of counters/local_link_integrity_errors + excessive_buffer_overrun_errors",
    ),
    Signal(
        name="ib.retries_exceeded",
        kind=Kind.EVENT,
        about="A connection over a port was given up: its peer did not answer or was not ready.",
        subject=_PORT,
        source="growth of hw_counters/rnr_nak_retry_err + req_transport_retries_exceeded, of EFA "
        "of unresponsive_remote_events; a job whose peer was killed makes some as well",
    ),
    Signal(
        name="ib.requests_failed",
        kind=Kind.EVENT,
        about="A read or a write of another machine's memory over an EFA port ended with an error.",
        subject=_PORT,
        source="growth of hw_counters/rdma_read_wr_err + rdma_write_wr_err; a job whose peer was "
        "killed makes some as well",
    ),
)
