"""The paths of printer columns."""

import pytest

from simulator.api import jsonpath
from simulator.api.wire import JsonObject

VALUE: JsonObject = {
    "a": {"b": [1, 2], "dotted.name": "x", "with-dash": "y"},
    "list": [
        {"type": "Ready", "status": "True", "count": 2, "on": True},
        {"type": "Disk", "status": "False", "count": 3, "on": False},
    ],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b", [[1, 2]]),
        (".a.b[0]", [1]),
        (".a.b[-1]", [2]),
        (".a.b[*]", [1, 2]),
        (".a.b[9]", []),
        (r".a.dotted\.name", ["x"]),
        (".a['with-dash']", ["y"]),
        (".a.with-dash", ["y"]),
        (".nothing.below", []),
        ('.list[?(@.type=="Ready")].status', ["True"]),
        ('.list[?(@.type!="Ready")].type', ["Disk"]),
        (".list[?(@.count==3)].type", ["Disk"]),
        (".list[?(@.on==true)].type", ["Ready"]),
        ('.list[?(@.type=="(odd)")].type', []),
    ],
)
def test_paths(path: str, found: list[object]) -> None:
    assert list(jsonpath.parse(path)(VALUE)) == found


@pytest.mark.parametrize("path", [".a[", ".list[?(type)]", "a b"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(jsonpath.PathError, match="expected"):
        jsonpath.parse(path)
