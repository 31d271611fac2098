"""The page that lists the contract is the contract's."""

from tests.contract import listing


def test_the_page_lists_every_behaviour_and_no_other() -> None:
    assert listing.PAGE.read_text() == listing.page(), "run `python -m tests.contract.listing`"


def test_every_behaviour_names_the_source_of_the_fact() -> None:
    silent = [each.sentence for _, found in listing.sections() for each in found if not each.source]

    assert silent == []
