"""The example in the docstring of registry.log.fold runs as written."""

import doctest

from registry.log import fold


def test_the_example_of_the_chain() -> None:
    result = doctest.testmod(fold, optionflags=doctest.ELLIPSIS)
    assert result.attempted >= 10
    assert result.failed == 0
