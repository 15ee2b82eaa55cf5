"""Read-only tables: what a cache hands out is seen by every later caller, and must not be changed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

Row = TypeVar("Row")
Column = TypeVar("Column")
Entry = TypeVar("Entry")


def frozen(table: Mapping[Row, Mapping[Column, Entry]]) -> Mapping[Row, Mapping[Column, Entry]]:
    """A read-only table of read-only rows."""
    return MappingProxyType({key: MappingProxyType(dict(row)) for key, row in table.items()})
