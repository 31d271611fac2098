"""The tree of an expression can be walked by those who look for something in it."""

from nodehealth.cel import syntax
from nodehealth.cel.parser import parse


def test_a_walk_meets_every_part_of_a_tree() -> None:
    root = parse('has(a.b) && [1].all(x, x == c["k"]) ? -d < 2 : e.size() in [f]')

    names = {node.name for node in syntax.walk(root) if isinstance(node, syntax.Name)}
    values = {node.value for node in syntax.walk(root) if isinstance(node, syntax.Literal)}

    assert names == {"a", "x", "c", "d", "e", "f"}
    assert values == {1, "k", 2}


def test_columns_are_where_operators_and_names_stand() -> None:
    root = parse("code == node.labels")

    assert isinstance(root, syntax.Binary)
    assert (root.column, root.left.column, root.right.column) == (6, 1, 14)


def test_terms_of_one_connective_lie_flat() -> None:
    root = parse("a && b && c || d")

    assert isinstance(root, syntax.Logic)
    assert [type(term) for term in root.terms] == [syntax.Logic, syntax.Name]
    assert syntax.depth(root) == 3
