"""What node-problem-detector is published to take, beside what we measure: it is not run here."""

from typing import Final

from bench.figures import Figures

_NPD: Final = "https://github.com/kubernetes/node-problem-detector"
FOOTPRINT: Final[Figures] = {
    "rss_mib": 30,
    "cpu_percent": 0.2,
    "measured_by_a_maintainer": f"v0.6.0 in December 2018, {_NPD}/pull/245",
    "limit_rss_mib": 80,
    "limit_cpu_percent": 1,
    "limits": f"v0.8.18, {_NPD}/blob/13b65d06e951/deployment/node-problem-detector.yaml",
}
"""Of the whole program, which asks no GPU anything."""
FLOOD: Final[Figures] = {
    "looks_for_a_changed_condition_every_s": 1,
    "as_is_said_in": f"{_NPD}/blob/2cbf6c50472f/pkg/exporters/k8sexporter/condition/manager.go",
    "100000_lines": "the log is closed, nothing of it is read any more, and nobody is told",
    "reported": f"v1.34.0 in November 2025, {_NPD}/issues/1168",
    "4500_lines_in_60_s": "extremely high CPU usage",
    "reported_before": f"v0.6.3 in May 2019, {_NPD}/issues/282",
}
