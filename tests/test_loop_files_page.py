"""The page about loop files: every key it gives exists, every key there is stands on it, its example runs."""

import re
from dataclasses import fields
from pathlib import Path

from theory.loop_file import ESTIMATORS, FAMILIES, POLICIES, from_toml
from theory.predict import predict
from theory.sampler import Sampler
from theory.selection import RULES

PAGE = (Path(__file__).parents[1] / "docs" / "loop_files.md").read_text()


def test_every_name_and_every_key_stands_on_the_page():
    words = set(re.findall(r"[\w-]+", PAGE))
    for kinds in (FAMILIES, POLICIES, ESTIMATORS, RULES):
        for name, kind in kinds.items():
            assert f"`{name}`" in PAGE
            assert {field.name for field in fields(kind)} <= words, name
    assert {field.name for field in fields(Sampler)} <= words


def test_the_example_of_a_recipe_runs():
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    source = '[source]\nfamily = "gaussian"\nmean = 0.0\nvariance = 1.0\n'
    found = predict(from_toml(source + example), [1, 2, 3, 4, 9], ["variance"])
    assert (found.variance.sel(statistic="mean") > 0).all()
