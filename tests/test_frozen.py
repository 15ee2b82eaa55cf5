"""What a cache hands out is seen by every later caller: none of it can be changed."""

import pytest

from theory.replace.recursion import Kind, solved
from theory.wishart.inverse import pairing
from theory.wishart.spectrum import spectrum
from theory.wishart.words import closed, expectation, one_step


def mappings():
    found = solved(Kind(), ((0, 2, 0), (2, 0, 0)))
    yield from (found.matrix, *found.matrix.values(), found.solution)
    yield from (part.terms for part in found.solution.values())
    for table in (expectation(("SS",)), one_step(("ss",)), pairing(((2,), ()))):
        yield from (table, *table.values())


@pytest.mark.parametrize("table", list(mappings()))
def test_cached_tables_are_read_only(table):
    assert len(table)
    with pytest.raises(TypeError):
        table[next(iter(table))] = None


def test_cached_arrays_are_read_only():
    for array in spectrum(2, 5, 1.0):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_cached_sequences_are_tuples():
    assert isinstance(closed((("ss",),)), tuple)
