"""Every published statement that is looked at."""

from theory.published.mixed import MIXED
from theory.published.replace import REPLACE

PUBLISHED = REPLACE + MIXED
