"""The loop around a diffusion model: its numbers, its resumption, its policies."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import norm
from two_samples import two_samples_agree_in_law

from jaxsim.agreement import Sample, Theory, agree, replicates_for
from models.checkpoint import Checkpoints
from models.choosing import scoring
from models.feeding import FIT, REAL, SAMPLE, Kitchen, drawn, streams
from models.generator import generator
from models.loop import BlowUpError, Run
from models.points import pool
from models.real import real
from theory.diffusion import sampler_map as diffusion
from theory.diffusion import schedule as diffusion_schedule
from theory.diffusion.loop import laws
from theory.generator import Diffusion, Training
from theory.loop import Gaussian, Images, Loop, LoopError, Replace, Sampler
from theory.loop_file import POLICIES as KINDS
from theory.loop_file import from_mapping, to_toml
from theory.policy import (
    Accumulate,
    AccumulateSubsample,
    Fixed,
    Fresh,
    Heal,
    Memory,
    Peers,
    Web,
    Window,
    WrittenRecipe,
)
from theory.recipe import recipe
from theory.selection import BestOf, BradleyTerry, Correction, TopFraction, Verifier

AFFINE = Diffusion("affine", "cosine", 10, "ddim")
NETWORK = Diffusion("mlp", "edm", 8, "ddim", width=32, depth=1)
TRAINING = Training("adam", 2e-3, 20, 16, 0.99, clip=1.0)
LINE = Loop(Gaussian(0, 1), Replace(20), generator=AFFINE)
POINTS = Loop(Gaussian([0, 1], [2, 0.5]), Replace(60), generator=NETWORK, training=TRAINING)
DIGITS = Loop(Images("digits"), Replace(60), generator=NETWORK, training=TRAINING)


def arrays(folder, generation):
    with np.load(folder / f"generation_{generation:04d}.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def run(loop, folder, generations, replicates=2, seed=0, **options):
    return list(Run(loop, replicates, seed, folder, **options).generations(generations))


@pytest.mark.slow
def test_the_affine_loop_has_the_law_of_theory():
    """D5: ln S_g of the model fitted in generation g, by quadrature; the map off by 1 - 1/T is seen."""
    generations, n, variance = (1, 2, 3), 20, 0.2
    loop = LINE.with_(source=Gaussian(0, variance))
    schedule = diffusion_schedule.cosine(AFFINE.steps)
    moments = [law.log_variance for law in laws(lambda s: diffusion.ddim(schedule, s), variance, n, 3)]
    theory = Theory(*np.array(moments).T)
    resolution = np.log(1 - 1 / AFFINE.steps) / np.sqrt(theory.variance[1])
    replicates = int(np.nanmax(replicates_for(theory, abs(resolution), 2 * len(generations))[0]))
    found = []
    source = real(loop)
    made = generator(loop, source)
    random = streams(loop, 0, replicates)
    points = drawn(source, random.rngs(REAL, 1), n)
    for generation in generations:
        models, _ = made.fit(random.keys(FIT, generation), pool([points], None, 32), n, None, 1.0, None)
        found.append(np.log(np.asarray(models.variances)[:, 0]))
        points = made.sample(random.keys(SAMPLE, generation), models, n)
    found = np.array(found)
    deviations = found - found.mean(axis=1, keepdims=True)
    sample = Sample(
        replicates,
        found.mean(axis=1),
        found.var(axis=1, ddof=1),
        *((deviations**k).mean(axis=1) for k in (3, 4)),
    )
    assert agree(sample, theory).mean.holds
    biased = np.array([law.log_variance for law in laws(
        lambda s: (1 - 1 / AFFINE.steps) * diffusion.ddim(schedule, s), variance, n, 3)]).T  # fmt: skip
    assert not agree(sample, Theory(*biased)).mean.holds


@pytest.mark.parametrize("loop", [LINE, POINTS, DIGITS], ids=["affine", "points", "digits"])
def test_a_killed_run_goes_on_with_the_same_numbers(loop, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(loop, whole, 3)
    run(loop, parts, 1)
    run(loop, parts, 2)
    second = (parts / "generation_0002.npz").read_bytes()
    (parts / "generation_0002.npz").write_bytes(second[: len(second) // 2])  # as if the disk had failed
    (parts / "generation_0003.npz.host.1.1.partial").write_bytes(b"left over")
    again = run(loop, parts, 3)
    for generation in (1, 2, 3):
        first, other = arrays(whole, generation), arrays(parts, generation)
        assert first.keys() == other.keys()
        assert all(np.array_equal(first[name], other[name]) for name in first)
    assert np.isfinite(list(again[-1].measures.values())).all()


def test_a_replicate_is_the_same_among_others(tmp_path):
    run(POINTS, tmp_path / "two", 2, replicates=2)
    run(POINTS, tmp_path / "five", 2, replicates=5)
    for generation in (1, 2):
        few, many = (arrays(tmp_path / name, generation) for name in ("two", "five"))
        for name, values in few.items():
            if name.startswith("model"):
                assert np.array_equal(values, many[name][:2])


@pytest.mark.slow
def test_one_device_or_several_give_the_same_bits(tmp_path):
    program = (
        "import jax, sys\n"
        "jax.config.update('jax_num_cpu_devices', int(sys.argv[1]))\n"
        "from theory.loop_file import load\n"
        "from models.loop import Run\n"
        "list(Run(load(sys.argv[2]), 3, 0, sys.argv[3]).generations(2))\n"
    )
    (tmp_path / "loop.toml").write_text(to_toml(POINTS))
    for devices in ("1", "2"):
        command = [sys.executable, "-c", program, devices, tmp_path / "loop.toml", tmp_path / devices]
        subprocess.run(command, check=True)
    for generation in (1, 2):
        one, two = (arrays(tmp_path / devices, generation) for devices in ("1", "2"))
        assert all(np.array_equal(one[name], two[name]) for name in one)


def test_another_run_in_the_folder_is_refused(tmp_path):
    run(LINE, tmp_path / "run", 1)
    for other in (LINE.with_(data=Replace(21)), LINE.with_(sampler=Sampler(bias=0.9))):
        with pytest.raises(LoopError, match="another run lies there: loop"):
            Run(other, 2, 0, tmp_path / "run")
    with pytest.raises(LoopError, match="seed is 0 there and 1 here"):
        Run(LINE, 2, 1, tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(LoopError, match="something else than a run"):
        Run(LINE, 2, 0, tmp_path / "mine")
    (tmp_path / "run" / "run.json").write_text("{")
    with pytest.raises(LoopError, match="damaged"):
        Run(LINE, 2, 0, tmp_path / "run")


POLICIES = {
    "replace": Replace((30, 40, 50)),
    "fresh": Fresh(20, 20),
    "fresh iid": Fresh(20, 20, composition="iid"),
    "fresh weighted": Fresh(20, 20, weight=0.6),
    "fixed": Fixed(30, 20),
    "accumulate": Accumulate(30),
    "accumulate-subsample": AccumulateSubsample(30),
    "window": Window(20, 2),
    "memory": Memory(10, 10, 2),
    "web": Web(30, 10, 10, n=30),
    "peers": Peers(models=2, per_model=15, real=10),
    "recipe": WrittenRecipe([[{"real": 30}], [{"model": -1, "n": 20}, {"batch": -1, "n": 10}]]),
}


def test_every_policy_is_among_them_but_healing_which_has_its_own_test():
    assert {policy.policy for policy in POLICIES.values()} == set(KINDS) - {"heal"}


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_runs_around_a_generator(policy, tmp_path):
    loop = LINE.with_(data=POLICIES[policy])
    found = run(loop, tmp_path / "whole", 3)
    assert all(np.isfinite(value).all() for g in found for value in g.measures.values())
    run(loop, tmp_path / "parts", 2)
    resumed = run(loop, tmp_path / "parts", 3)
    assert np.array_equal(found[-1].measures["variance"], resumed[-1].measures["variance"])


def test_healing_goes_on_from_the_contaminated_network(tmp_path):
    heal = Heal(Replace(60), generations=1, real=60, weight=0.5)
    found = run(POINTS.with_(data=heal), tmp_path / "run", 2)
    assert np.isfinite(found[-1].measures["variance"]).all()
    first, second = (arrays(tmp_path / "run", g) for g in (1, 2))
    name = "model_0.parameters['enter']['kernel']"
    scratch = run(POINTS.with_(data=Heal(Replace(60), 1, 60, 1.0)), tmp_path / "scratch", 2)
    fresh = arrays(tmp_path / "scratch", 2)
    apart = {
        key: np.abs(table[name] - first[name]).max() for key, table in (("warm", second), ("new", fresh))
    }
    assert apart["warm"] < apart["new"] / 2
    assert len(scratch) == 2
    with pytest.raises(LoopError, match="no network to go on from"):
        run(LINE.with_(data=Heal(Replace(60), 1, 60, 0.5)), tmp_path / "affine", 2)


def test_accumulated_points_are_all_eaten(tmp_path):
    """The pool of generation 3 is the three batches: an affine fit shows its moments."""
    run(LINE.with_(data=Accumulate(30)), tmp_path / "run", 3)
    stored = [arrays(tmp_path / "run", g)["batch_0_0_values"] for g in (1, 2, 3)]
    whole = np.concatenate(stored, axis=1)[..., 0].astype(float)
    model = arrays(tmp_path / "run", 3)
    assert whole.shape == (2, 90)
    assert np.allclose(model["model_0.mean"][:, 0], whole.mean(axis=1), atol=1e-6)
    assert np.allclose(model["model_0.variances"][:, 0], whole.var(axis=1), rtol=1e-5)


def test_a_bias_multiplies_the_variance(tmp_path):
    """The same noise times sqrt(lambda), through a linear sampler: exactly lambda times the variance."""
    large = LINE.with_(data=Replace(1000))
    quarter = large.with_(sampler=Sampler(bias=0.25))
    plain, biased = (
        run(loop, tmp_path / name, 1)[0].spectrum for loop, name in ((large, "plain"), (quarter, "biased"))
    )
    ratio = (biased["loop_variance"] / biased["eaten_variance"]) / (
        plain["loop_variance"] / plain["eaten_variance"]
    )
    # two samples of 1,000 with streams of their own: ln of a ratio of variances, 6 standard errors
    assert np.abs(np.log(ratio / 0.25)).max() < 6 * np.sqrt(2 * 2 / 1000)


TYPICAL, UPPER = (TopFraction(0.5, score, threshold="pool") for score in ("typicality", "linear"))


@pytest.mark.parametrize(
    ("rule", "shift", "spread"),
    [
        (BestOf(3), 3 / (2 * np.sqrt(np.pi)), 1 + np.sqrt(3) / (2 * np.pi) - 9 / (4 * np.pi)),
        (None, 0.0, 1.0),
    ],
)
def test_a_run_measures_what_is_kept(rule, shift, spread, tmp_path):
    """(mean of 20 kept - m) / sqrt(g(S)) given the fit; enough runs to tell best of 3 from of 2."""
    apart = shift - 1 / np.sqrt(np.pi)
    replicates = math.ceil(spread / 20 * (2 * norm.isf(0.5e-6) / apart) ** 2)  # 1e-6 both ways
    found = run(LINE.with_(selection=rule), tmp_path / "run", 1, replicates)[-1].spectrum
    fitted = 19 / 20 * found["eaten_variance"][:, 0]
    made = np.sqrt(diffusion.ddim(diffusion_schedule.cosine(AFFINE.steps), fitted))
    shifts = (found["loop_mean"] - found["eaten_mean"])[:, 0] / made
    assert abs(shifts.mean() - shift) < abs(apart) / 2


def selected(rule, replicates):
    """Mean and variance of the 20 points that generation 2 of `LINE` is fitted to, a row a replicate."""
    loop = LINE.with_(selection=rule)
    source, random = real(loop), streams(loop, 0, replicates)
    made = generator(loop, source)

    def raw(generation, peer, address, n):
        return made.sample(random.keys(SAMPLE, *address), models, n)

    kitchen = Kitchen(loop, recipe(loop.data), source, scoring(rule, source, None), random, raw)
    (real_food,) = kitchen.serve(1)
    models, _ = made.fit(random.keys(FIT, 1), pool(real_food.parts, None, 32), 20, None, 1.0, None)
    (food,) = kitchen.serve(2)
    values = food.parts[0].values[..., 0].astype(float)
    return np.stack([values.mean(axis=1), values.var(axis=1, ddof=1)], axis=1)


def made_by_line():
    """E sqrt(g(S)), E g(S), S the divisor-n variance of 20 standard normals: what the sampler makes of it."""
    schedule = diffusion_schedule.cosine(AFFINE.steps)
    (law,) = laws(lambda s: diffusion.ddim(schedule, s), 1.0, 20, 1)
    variance = diffusion.ddim(schedule, np.exp(law.nodes))
    return law.weights @ np.sqrt(variance), law.weights @ variance


def test_the_best_of_three_have_the_mean_of_the_greatest_of_three_normals():
    """E max of 3 is 3 / (2 sqrt pi) = 0.846, of 2 is 1 / sqrt pi = 0.564, times E sqrt(g(S))."""
    root, square = made_by_line()
    largest = {1: 0.0, 2: 1 / np.sqrt(np.pi), 3: 3 / (2 * np.sqrt(np.pi))}
    spread = 1 + np.sqrt(3) / (2 * np.pi) - largest[3] ** 2  # variance of the greatest of three
    variance = 1 / 20 + square * spread / 20 + largest[3] ** 2 * (square - root**2)
    theory = Theory(largest[3] * root, variance)
    resolution = (largest[3] - largest[2]) * root / np.sqrt(variance)
    replicates = int(replicates_for(theory, resolution, 1)[0])
    for rule, right in ((BestOf(3), True), (BestOf(2), False), (None, False)):
        verdict = agree(Sample.of(selected(rule, replicates)[:, 0]), theory).mean
        assert verdict.holds if right else verdict.disagrees


def written_out(rule, replicates):
    """The law of `selected` in a few lines of NumPy, every rule as its definition says."""
    rng, n = np.random.default_rng(5), 20
    schedule = diffusion_schedule.cosine(AFFINE.steps)
    found = []
    for _ in range(replicates):
        first = rng.normal(size=n)
        mean, spread = first.mean(), np.sqrt(diffusion.ddim(schedule, first.var()))

        def made(*shape, mean=mean, spread=spread):
            return mean + spread * rng.normal(size=shape)

        match rule:
            case TopFraction(score="linear"):
                values = np.sort(made(round(n / rule.fraction)))[-n:]
            case TopFraction():
                values = made(round(n / rule.fraction))
                values = values[np.argsort(abs(values - values.mean()))[:n]]
            case BradleyTerry():
                tried = made(n, rule.candidates)
                weights = np.exp(rule.strength * tried)
                weights /= weights.sum(axis=1, keepdims=True)
                values = [rng.choice(row, p=chance) for row, chance in zip(tried, weights, strict=True)]
            case Correction():
                real_ones = rng.random(n) < rule.gamma / (1 + rule.gamma)
                values = np.where(real_ones, rng.normal(size=n), made(n))
        found.append((np.mean(values), np.var(values, ddof=1)))
    return np.array(found)


@pytest.mark.parametrize(
    ("rule", "wrong", "moment"),
    [
        (UPPER, TopFraction(0.8, "linear", threshold="pool"), 0),
        (TYPICAL, TopFraction(0.8, "typicality", threshold="pool"), 1),
        (BradleyTerry(3, 2.0), BradleyTerry(3, 0.5), 0),
        (Correction(1.0), Correction(0.0), 1),
    ],
)
def test_what_is_kept_has_the_law_of_the_rule(rule, wrong, moment):
    """Two samples of a mean or a variance of 20 points; laws 1/4 apart are told apart, at 1e-6 both ways."""
    replicates = math.ceil(4 * np.log(2 / 1e-6) / 0.25**2)  # twice sqrt(ln(2 / rate) / N) is 1/4
    found = selected(rule, replicates)[:, moment]
    for other, right in ((rule, True), (wrong, False)):
        written = written_out(other, replicates)[:, moment]
        verdict = two_samples_agree_in_law(found, written, false_alarm=1e-6, false_pass=1e-6)
        assert verdict.smallest_discrepancy <= 0.25
        assert verdict.holds == right


def test_a_selection_that_a_network_cannot_have_is_refused(tmp_path):
    for rule in (TopFraction(0.5, "linear"), Verifier(0.0, 1.0)):
        with pytest.raises(LoopError, match="selection"):
            Run(LINE.with_(selection=rule), 2, 0, tmp_path / "run")


def test_the_most_confident_digits_are_kept(tmp_path):
    rule = TopFraction(0.5, "typicality", threshold="pool")
    plain = run(DIGITS, tmp_path / "plain", 1, 1)[0].measures["confidence"]
    sure = run(DIGITS.with_(selection=rule), tmp_path / "sure", 1, 1)[0].measures["confidence"]
    assert sure.mean() > plain.mean() + 0.02


def test_a_loop_that_blows_up_is_stopped_and_what_was_good_kept(tmp_path):
    loop = LINE.with_(sampler=Sampler(bias=16))
    run_ = Run(loop, 2, 0, tmp_path / "run")
    with pytest.raises(BlowUpError, match=r"blew up in generation \d+, replicate .*generation \d+ is kept"):
        list(run_.generations(20))
    kept = sorted(tmp_path.joinpath("run").glob("generation_*.npz"))
    assert kept
    assert np.isfinite(arrays(tmp_path / "run", len(kept))["model_0.variances"]).all()


def test_more_real_images_than_there_are_is_refused_before_training(tmp_path):
    with pytest.raises(LoopError, match="1,198 real points"):
        Run(DIGITS.with_(data=Fresh(1200, 100)), 1, 0, tmp_path / "run").check(3)


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        ({"source": {"family": "categorical", "probabilities": [0.5, 0.5]}}, "generator"),
        ({"sampler": {"guidance": 1}}, "sampler.guidance"),
        ({"training": {"context_dropout": 0.1}}, "training.context_dropout"),
        ({"estimator": {"name": "unbiased"}}, "estimator.name"),
        ({"generator": {"network": "unet"}}, "generator.network"),
        ({"source": {"family": "images", "dataset": "no such set"}}, "source.dataset"),
    ],
)
def test_what_does_not_suit_a_generator_is_refused(parts, key, tmp_path):
    from theory.loop_file import to_mapping

    tables = json.loads(json.dumps(to_mapping(POINTS)))
    for table, content in parts.items():
        tables[table] = content if "family" in content else tables.get(table, {}) | content
    with pytest.raises(LoopError) as refusal:
        Run(from_mapping(tables), 1, 0, tmp_path / "run")
    assert refusal.value.key == key


GUIDED = DIGITS.with_(
    generator=Diffusion("unet", "cosine", 4, "ddim", width=8, depth=1),
    training=Training("adamw", 1e-3, 4, 8, 0.9, context_dropout=0.2),
    sampler=Sampler(guidance=1.0),
)


@pytest.mark.slow
def test_a_guided_u_net_runs_outside_of_loops(tmp_path):
    """On a CPU its steps are called from Python; the classifier compares its labels with what was asked."""
    found = run(GUIDED, tmp_path / "run", 1, replicates=1)[0]
    assert found.pictured[0].shape == (1, 12, 8, 8, 1)
    assert np.isfinite(found.measures["classifier_accuracy"]).all()
    assert abs(arrays(tmp_path / "run", 1)["model_0.frequencies"].sum() - 1) < 1e-5
    assert found.measures["loss"].shape == (1,)


def test_checkpoints_hold_no_pickles(tmp_path):
    run(POINTS, tmp_path / "run", 1)
    for path in tmp_path.joinpath("run").glob("*.npz"):
        with np.load(path, allow_pickle=False) as archive:
            assert all(archive[name].dtype != object for name in archive.files)
    checkpoints = Checkpoints(tmp_path / "new", {"a": 1})
    assert checkpoints.done() == 0
    assert checkpoints.read(1) is None


def test_samples_that_were_kept_can_be_had_again(tmp_path):
    kept = Run(POINTS, 2, 0, tmp_path / "kept", keep_samples=True)
    (found,) = kept.generations(1)
    for control, shown in enumerate(found.pictured):
        values = kept.samples(1, control=bool(control)).values
        np.testing.assert_array_equal(values[:, : shown.shape[1]], shown)
    without = Run(POINTS, 2, 0, tmp_path / "without")
    list(without.generations(1))
    with pytest.raises(LoopError, match="not kept"):
        without.samples(1)
