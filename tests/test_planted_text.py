"""Wrong versions of the claims about text, planted one at a time: Monte Carlo must disagree with each.

For every claim and case there are as many replicates as show the smallest of its planted errors with both
error rates (`jaxsim.agreement`), and what is claimed must agree on the same ones.
"""

from collections import Counter
from functools import partial
from itertools import pairwise, product

import numpy as np
import pytest

from jaxsim.agreement import Sample, Theory, agree, replicates_needed
from jaxsim.experiments import measured
from jaxsim.simulate import simulate
from jaxsim.summary import STATISTICS
from theory.claim import Experiment
from theory.claims import text as text_claims
from theory.claims.text import TEXT
from theory.predict import central_moments
from theory.text import cycles as text_cycles
from theory.text import paths as text_paths

MOST = 400_000


def law_of(case):
    matrix = np.array(case.loop.source.transition, float)
    return matrix, text_paths.stationary_law(matrix), case.loop.data.n


def one_step_longer(case):
    matrix, law, n = law_of(case)
    return text_paths.support(matrix, law, n + 1)[0]


def begun_uniformly(case):
    matrix, law, n = law_of(case)
    return text_paths.support(matrix, np.full_like(law, 1 / len(law)), n)[0]


def independent_symbols(case):
    _, law, n = law_of(case)
    return (1 - (1 - law) ** n).sum()


def independent_pairs(case):
    matrix, law, n = law_of(case)
    return (1 - (1 - law[:, None] * matrix) ** (n - 1)).sum() / (n - 1)


def pairs_by_tokens(case):
    """Divided by L and not by L - 1."""
    matrix, law, n = law_of(case)
    return text_paths.different(matrix, law, n, 2) / n


def triples_of_a_shorter_text(case):
    matrix, law, n = law_of(case)
    return text_paths.different(matrix, law, n - 1, 3) / (n - 2)


def no_bias(case):
    matrix, law, _ = law_of(case)
    return text_paths.true_entropy_rate(matrix, law)


def bias_of_twice_the_parameters(case):
    matrix, law, n = law_of(case)
    return text_paths.entropy_rate(matrix, law, n) + 2 * text_paths.entropy_rate_bias(matrix, n)


def independent_entropy(case):
    """Symbols taken for independent draws of the stationary law."""
    _, law, n = law_of(case)
    return text_paths.entropy(np.tile(law, (len(law), 1)), law, n)


def independent_heterozygosity(case):
    _, law, n = law_of(case)
    return (1 - (law**2).sum()) * (1 - 1 / n)


def a_transition_more(case):
    matrix, law, n = text_claims._chain(case)
    return text_paths.expected_counts(matrix, law, n + 1)


def arrivals(case):
    """Weighted with how often j is visited, and not i."""
    matrix, law, n = text_claims._chain(case)
    return (n - 1) * law[None, :] * matrix


def unbiased_rows(case):
    """Rows taken for Wright-Fisher populations."""
    return text_claims._chain(case)[0]


def rows_biased_the_other_way(case):
    matrix, _, n = text_claims._chain(case)
    return matrix - text_paths.row_bias(matrix, n)


def of_a_longer_text(case):
    matrix, law, length = text_claims._chain(case)
    return text_cycles.cycle_law(matrix, law, length + 1, case.loop.get("generation"))


def begun_at_the_first_token(case):
    """In the frequencies of x_1, ..., x_(L-1), and not of x_2, ..., x_L."""
    matrix, law, length = text_claims._chain(case)
    every = list(product(range(len(matrix)), repeat=length))
    now = np.array([law[x[0]] * np.prod([matrix[a, b] for a, b in pairwise(x)]) for x in every])
    step = np.zeros((len(every), len(every)))
    for row, x in zip(step, every, strict=True):
        heads = Counter(x[:-1])
        after = {a: Counter(d for c, d in pairwise(x) if c == a) for a in set(x[:-1])}
        for place, y in enumerate(every):
            row[place] = heads[y[0]] / (length - 1)
            for a, b in pairwise(y):
                row[place] *= after[a][b] / heads[a] if heads[a] else heads[b] / (length - 1)
    now = now @ np.linalg.matrix_power(step, case.loop.get("generation") - 1)
    size = len(matrix)
    around = [[x[:-k] == x[k:] and len(set(x)) == k for x in every] for k in range(1, size + 1)]
    return np.array(around, float) @ now


def a_generation_late(claim, case):
    loop = case.loop
    parameters = dict(loop.parameters) | {"generation": loop.get("generation") + 1}
    return claim.expected(type(case)(Experiment(loop.name, tuple(parameters.items()))))[0]


def divisor_without_one(case):
    found = text_claims.documents(case)[0]
    n, t = case.loop.get("n"), case.loop.get("generation")
    return found * ((1 - 1 / (n - 1)) / (1 - 1 / n)) ** t


def unseen_rows_lost(case):
    """Without the (1 - c)^n of a row that was not prompted."""
    rows, n = np.array(case.loop.get("rows"), float), case.loop.get("n")
    shares = np.array(case.loop.get("prompts"))
    decay = np.array([text_paths.prompted_decay(n, c) for c in shares]) - (1 - shares) ** n
    return (1 - (rows**2).sum(1)) * decay ** case.loop.get("generation")


def mean_number_of_prompts(case):
    rows, n = np.array(case.loop.get("rows"), float), case.loop.get("n")
    decay = 1 - 1 / (n * np.array(case.loop.get("prompts")))
    return (1 - (rows**2).sum(1)) * decay ** case.loop.get("generation")


PLANTED = {
    "support": (one_step_longer, independent_symbols),
    "distinct_1": (
        lambda c: one_step_longer(c) / c.loop.data.n,
        lambda c: independent_symbols(c) / c.loop.data.n,
    ),
    "distinct_2": (independent_pairs, pairs_by_tokens),
    "distinct_3": (triples_of_a_shorter_text,),
    "transition_counts": (a_transition_more, arrivals),
    "entropy_rate": (no_bias, bias_of_twice_the_parameters),
    "entropy": (independent_entropy,),
    "heterozygosity": (independent_heterozygosity,),
    "refitted_rows": (unbiased_rows, rows_biased_the_other_way),
    "documents": (divisor_without_one, "late"),
    "prompted_rows": (unseen_rows_lost, mean_number_of_prompts, "late"),
    "cycles": (of_a_longer_text, begun_at_the_first_token, "late"),
}


def test_every_claim_has_its_planted_errors():
    assert {claim.observable for claim in TEXT} == set(PLANTED)


def sampled(case, observable, count):
    if isinstance(case.loop, Experiment):
        found = measured(case.loop, count)
    else:
        found = simulate(case.loop, 1, count, observables=[observable])[observable].isel(generation=0)
    return Sample(*(found.sel(statistic=name).values for name in STATISTICS[:5]))


CASES = [
    pytest.param(claim, k, id=f"{claim.id} {claim.observable} {k}", marks=() if k == 0 else pytest.mark.slow)
    for claim in TEXT
    for k in range(len(claim.cases))
]


@pytest.mark.parametrize(("claim", "number"), CASES)
def test_what_is_claimed_agrees_and_what_is_planted_does_not(claim, number):
    case = claim.cases[number]
    if claim.expected is None:
        moments = central_moments(case.loop, claim.observable, case.generations)[:, 0]
    else:
        moments = claim.expected(case)
    theory = Theory(*moments)
    wrong = [
        a_generation_late(claim, case) if planted == "late" else np.asarray(planted(case), float)
        for planted in PLANTED[claim.observable]
    ]
    spread = np.sqrt(np.where(np.isfinite(theory.variance), theory.variance, pilot(case, claim.observable)))
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = [np.nanmax(np.where(spread > 0, np.abs(w - theory.mean) / spread, 0)) for w in wrong]
    comparisons = max(np.size(theory.mean), 1) * 2
    # the spread is partly the pilot's: twice as many
    count = int(2 * replicates_needed(min(seen), 1.0, comparisons))
    assert count <= MOST, f"the smallest planted error would ask for {count} replicates"
    least = 200_000 if isinstance(case.loop, Experiment) else 30_000  # skewed, and the tail is the sample's
    sample = sampled(case, claim.observable, max(count, least))
    verdict = agree(sample, theory, comparisons=comparisons)
    assert not verdict.disagrees
    assert (verdict.mean.verdict == "agrees").any()
    for planted in wrong:
        mistaken = Theory(planted, *theory[1:])
        assert agree(sample, mistaken, comparisons=comparisons).disagrees


def pilot(case, observable):
    """The variance of one replicate, from other replicates than those that are judged."""
    if isinstance(case.loop, Experiment):
        return measured(case.loop, 4000, seed=1).sel(statistic="variance").values
    run = partial(simulate, case.loop, 1, 4000, seed=1, observables=[observable])
    return run()[observable].sel(statistic="variance").values[0]
