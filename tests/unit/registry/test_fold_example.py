"""The example in the docstring of registry.fold runs as written."""

import doctest

from registry import fold


def test_the_example_of_the_chain() -> None:
    result = doctest.testmod(fold, optionflags=doctest.ELLIPSIS)
    assert result.attempted >= 10
    assert result.failed == 0
