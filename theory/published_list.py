"""Every published statement that is looked at."""

from theory.published_mixed import MIXED
from theory.published_replace import REPLACE

PUBLISHED = REPLACE + MIXED
