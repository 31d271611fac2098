"""A pattern of the operator's own is proven by its samples; a bad one costs the others nothing."""

from pathlib import Path
from typing import Final

import pytest

from agent.host.complaints import own

GOOD: Final = """\
    - name: fan-failed
      words: ["fan stopped"]
      line: '^acme (?P<part>fan\\d{1,2}): fan stopped'
      says: ['acme fan7: fan stopped, 0 rpm']
      unsaid: ['app: acme fan7: fan stopped']
"""
HEAD: Final = "apiVersion: nodemend.dev/v1alpha1\nkind: KernelPatterns\nspec:\n  patterns:\n"


def found(tmp_path: Path, text: str) -> own.Patterns:
    (tmp_path / "mine_patterns.yaml").write_text(text)
    (tmp_path / "README.md").write_text("no pattern")
    return own.below(tmp_path)


def without(name: str) -> str:
    return HEAD + "".join(each for each in GOOD.splitlines(keepends=True) if f"{name}:" not in each)


def test_a_pattern_finds_its_lines_and_what_they_are_about(tmp_path: Path) -> None:
    (pattern,) = found(tmp_path, HEAD + GOOD).good

    assert pattern.read("acme fan7: fan stopped") == "fan7"
    assert pattern.read("acme fan7: fan stops") is None
    assert pattern.read("x acme fan7: fan stopped") is None


def test_a_pattern_without_a_part_is_about_nothing_in_particular(tmp_path: Path) -> None:
    text = GOOD.replace("(?P<part>fan\\d{1,2})", "fan\\d{1,2}")
    (pattern,) = found(tmp_path, HEAD + text).good

    assert pattern.read("acme fan7: fan stopped") == ""


def test_where_there_is_no_folder_there_is_no_pattern(tmp_path: Path) -> None:
    assert own.below(tmp_path / "none") == own.Patterns()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("'^acme", "'acme", "[0].line: expected ^, for a line is read from its start, got 'acme"),
        ("fan\\d{1,2}", "(fan)+", "[0].line: expected no group to be repeated, except by ?"),
        ("fan\\d{1,2}", "fan(", "[0].line: missing )"),
        ("fan\\d{1,2}", ".*.*.*", "[0].line: expected a pattern of at most 1000000; bound what"),
        ("P<part>", "P<other>", "[0].line: expected no named group but part, got other"),
        ("fan-failed", "Fan", "[0].name: expected lower-case letters, digits and dashes, 63 at"),
        ('"fan stopped"', '"fan"', "[0].words: expected texts of 4 characters or more, got 'fan'"),
        ('["fan stopped"]', "[]", "[0].words: expected texts of 4 characters or more, got 'none'"),
        ("says: ['acme", "says: ['acne", "[0].says[0]: expected a line with one of the words and"),
        ("unsaid: ['app: ", "unsaid: ['", "[0].unsaid[0]: expected a line that is another one, g"),
        ("unsaid: [", "unsaid: [] #", "[0].unsaid: expected at least one line as a sample, got n"),
        (
            "'^acme (?P<part>fan\\d{1,2}): fan stopped'",
            "'^.*'",
            "[0].line: expected a pattern tha",
        ),
        ("line:", "lines:", "[0].lines: unknown setting; known are name, words, line, says, uns"),
        ("name: fan-failed", "name: 3", "[0].name: expected text, got 3"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_said_and_the_others_are_used(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    text = HEAD + GOOD.replace(old, new) + GOOD.replace("fan-failed", "other")

    patterns = found(tmp_path, text)

    path = f"{tmp_path}/mine_patterns.yaml.spec.patterns"
    assert [each.name for each in patterns.good] == ["other"]
    assert [each[: len(path + problem)] for each in patterns.problems] == [path + problem]


def test_every_part_of_a_pattern_is_needed(tmp_path: Path) -> None:
    for name in ("words", "line", "says", "unsaid"):
        (problem,) = found(tmp_path, without(name)).problems

        assert f".{name}: expected" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", ": expected YAML: "),
        ("", ": expected kind: KernelPatterns, got None"),
        ("kind: Rule", ".apiVersion: expected nodemend.dev/v1alpha1, got None"),
        (HEAD.replace("KernelPatterns", "Rule"), ".kind: expected KernelPatterns, got 'Rule'"),
        (HEAD, ".spec.patterns: expected a list of patterns, got None"),
        (HEAD + GOOD + "other: 1\n", ".spec.patterns: expected a list of patterns, got other too"),
    ],
)
def test_a_file_that_holds_no_patterns_is_said_to(tmp_path: Path, text: str, problem: str) -> None:
    patterns = found(tmp_path, text)

    assert patterns.good == ()
    assert patterns.problems[0].startswith(f"{tmp_path}/mine_patterns.yaml{problem}")


def test_of_two_patterns_with_one_name_the_first_is_used(tmp_path: Path) -> None:
    patterns = found(tmp_path, HEAD + GOOD + GOOD)

    assert len(patterns.good) == 1
    path = f"{tmp_path}/mine_patterns.yaml.spec.patterns[1]"
    assert patterns.problems == (f"{path}.name: another pattern is named fan-failed too",)


def test_no_more_patterns_are_used_than_a_line_can_be_held_against(tmp_path: Path) -> None:
    many = (GOOD.replace("fan-failed", f"fan-{n}") for n in range(own.MOST + 1))

    patterns = found(tmp_path, HEAD + "".join(many))

    assert (len(patterns.good), len(patterns.problems)) == (own.MOST, 1)


def test_a_file_that_is_gone_again_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "mine_patterns.yaml").symlink_to(tmp_path / "gone")

    assert own.below(tmp_path).problems == (
        f"{tmp_path}/mine_patterns.yaml: expected a file, No such file or directory",
    )


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    assert "expected at most" in found(tmp_path, "#" * (300 * 1024)).problems[0]
