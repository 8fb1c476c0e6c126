"""Hold the routing figures against RouteLLM's tables and what its own evaluator prints for them.

python -m tools.check_routing FOLDER [--prompts FILE] [--answers FILE]

FOLDER, or routellm in it, holds gsm8k.csv, mmlu.csv, mt_bench.csv (paired outcomes of a weak and a strong
model, from github.com/lm-sys/RouteLLM) and reference.json (11 points and five figures for each of nine
curves). FILE are GSM8K's test questions as JSON lines, in the order of gsm8k.csv, and RouteLLM's own
gsm8k_responses.csv, whose answers a cascade can check. Prices are $2/$10 a million tokens for the weak and
$4/$20 for the strong model, a token is four characters, and MMLU's answers are one token.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from scipy.stats import kstest

from llmkit.curve_tests import (
    apgr_interval,
    curve_p,
    gain_interval,
    items_needed,
    permutation_p,
)
from llmkit.curves import Chord, Curve, Floats, Pair, apgr, area, cpt, route_curve
from llmkit.headroom import headroom
from llmkit.learned import Router, fit
from llmkit.payoff import Outcome, cascade, escalation, judge, oracle, route
from llmkit.stats import mcnemar
from tools.check_replay import replayed
from tools.routing_data import MARKER, PREFIX, Checks, Rows, clean, column, gsm8k, mmlu, read, weak_answers

NAMES = ("CPT20", "CPT50", "CPT80", "AUC", "APGR")
FILES = {"gsm8k": "gsm8k.csv", "mmlu": "mmlu.csv", "mt-bench": "mt_bench.csv"}
PASSES, SEEDS = 10, 200
# Published counts of Opus and Sonnet on the 500 tasks of SWE-bench Verified with mini-SWE-agent, and their
# bills (USD): both, only Opus, only Sonnet, neither, Opus, Sonnet (swe-bench.github.io, leaderboards.json).
SWE_BENCH = {
    "Opus 4 / Sonnet 4": (296, 42, 28, 134, 565.64, 185.73),
    "Opus 4.5 / Sonnet 4.5": (330, 42, 23, 105, 360.62, 279.17),
}


def main(arguments: list[str] | None = None) -> int:
    """Print every figure beside what it should be; 1 if one of those that can be held is off."""
    parser = argparse.ArgumentParser(prog="tools.check_routing")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prompts", type=Path)
    parser.add_argument("--answers", type=Path)
    options = parser.parse_args(arguments)
    if (options.folder / "routellm").is_dir():
        options.folder /= "routellm"
    tables = {name: read(options.folder / file) for name, file in FILES.items()}
    reference = json.loads((options.folder / "reference.json").read_text("utf-8"))["benchmarks"]
    prompts = questions(options, tables["gsm8k"])
    checks = Checks()
    stored_figures(checks, reference)
    table_figures(checks, reference, tables, prompts)
    exact_figures(checks, tables)
    rules(checks, tables["gsm8k"])
    learned(checks, tables, prompts)
    chance(checks, gsm8k(tables["gsm8k"], PREFIX))
    marker(checks, tables["gsm8k"], options.answers)
    replayed(checks, tables["gsm8k"], prompts, options.answers)
    swe_bench(checks)
    print(f"\n{checks.held} figures held, {checks.off} off")
    return int(checks.off > 0)


def questions(options: Any, table: Rows) -> list[str] | None:
    """GSM8K's questions without the contaminated ones, or None when there are none beside the tables."""
    path = options.prompts or options.folder.parent / "benchmarks" / "gsm8k_test.jsonl"
    if not path.exists():
        print(f"no {path}: what needs GSM8K's questions is left out")
        return None
    texts = [json.loads(line)["question"] for line in path.read_text("utf-8").splitlines()]
    return [text for text, row in zip(texts, table, strict=True) if row["contaminated"] == "0"]


def stored_figures(checks: Checks, reference: Mapping[str, Any]) -> None:
    """The 45 figures from the 11 points stored for each curve."""
    print("\n45 figures of RouteLLM's evaluator, from its stored points")
    for name, bench in reference.items():
        for router, stated in bench["routers"].items():
            points = np.array(stated["points"])
            hold(checks, f"{name} {router}", points, (bench["weak"], bench["strong"]), stated)


def hold(
    checks: Checks, title: str, points: Floats, ends: tuple[float, float], stated: Mapping[str, Any]
) -> None:
    """Five figures of one curve of points (percent of calls, quality)."""
    unknown = np.full(len(points), np.nan)
    line = Curve(points[:, 0] / 100, unknown, points[:, 1], unknown)
    chord = Chord(0.0, ends[0], 1.0, ends[1])
    for name, part in zip(NAMES, (0.2, 0.5, 0.8), strict=False):
        checks.same(f"{title} {name}", f"{100 * cpt(line, chord, part, by='calls'):.2f}%", stated[name])
    checks.same(f"{title} AUC", area(line.quality, line.moved), stated["AUC"])
    checks.same(f"{title} APGR", apgr(line, chord, by="calls"), stated["APGR"])


def table_figures(
    checks: Checks, reference: Mapping[str, Any], tables: Mapping[str, Rows], prompts: list[str] | None
) -> None:
    """The 35 figures that follow from the tables, sampled as RouteLLM samples them."""
    print("\n35 of them from the tables")
    for name, bench in reference.items():
        weak, strong, size = outcomes(tables[name], name)
        checks.same(f"{name} weak", float(weak.mean()), bench["weak"])
        checks.same(f"{name} strong", float(strong.mean()), bench["strong"])
        scores = {"length": [np.minimum(1, size / 10_000)], "random": dealt(len(weak))}
        if name == "gsm8k" and prompts:
            scores["crc"] = [np.array([crc32(text.encode()) for text in prompts]) / 2**32]
        for router, passes in scores.items():
            points = averaged([sampled(score, weak, strong) for score in passes])
            ends = (bench["weak"], bench["strong"])
            hold(checks, f"{name} {router}", points, ends, bench["routers"][router])


def outcomes(table: Rows, name: str) -> tuple[Floats, Floats, Floats]:
    """Qualities of both models as RouteLLM states them, and the characters of the prompts, each (n,)."""
    rows = clean(table)
    weak, strong = column(rows, "weak"), column(rows, "strong")
    if name != "mt-bench":
        return 100 * weak, 100 * strong, column(rows, "prompt_chars")
    first = np.array([row["turn"] == "1" for row in rows])
    both = [(grades[first] + grades[~first]) / 2 for grades in (weak, strong)]
    return both[0], both[1], column(rows, "turn1_chars")[first]


def dealt(n: int) -> list[Floats]:
    """RouteLLM's random router: ten passes over the items, seeded once."""
    chance = random.Random(0)
    return [np.array([chance.uniform(0, 1) for _ in range(n)]) for _ in range(PASSES)]


def sampled(score: Floats, weak: Floats, strong: Floats) -> Floats:
    """The 11 points (percent of calls, quality) at the deciles of a score."""
    cuts = np.quantile(score, np.linspace(0, 1, 11))
    up = [score > cut if place == 10 else score >= cut for place, cut in enumerate(cuts)]
    return np.array([(100 * moved.mean(), np.where(moved, strong, weak).mean()) for moved in up])[::-1]


def averaged(passes: Sequence[Floats]) -> Floats:
    """Several curves as one: the mean quality at each percentage."""
    found: dict[float, list[float]] = {}
    for percent, quality in np.concatenate(passes).tolist():
        found.setdefault(round(percent, 9), []).append(quality)
    return np.array([(percent, np.mean(found[percent])) for percent in sorted(found)])


def exact_figures(checks: Checks, tables: Mapping[str, Rows]) -> None:
    """One rule on both axes: the flip from calls to dollars."""
    print("\nexact curves: longest prompts first, by calls and by dollars")
    length = column(clean(tables["mmlu"]), "prompt_chars")
    pair, long = mmlu(tables["mmlu"], 0), mmlu(tables["mmlu"], 600)
    for name, score, one, calls, dollars in (
        ("mmlu longest first", length, pair, 0.5858190672006, 0.3491006476171),
        ("mmlu shortest first", -length, pair, 0.4141809327994, 0.6508993523829),
        ("mmlu longest first, 600 tokens before", length, long, 0.5858190672006, 0.5459451971),
    ):
        both_axes(checks, name, score, one, calls, dollars)
    asked = column(clean(tables["gsm8k"]), "prompt_chars")
    for prefix, dollars in ((0, 0.5271609593934649), (PREFIX, 0.5695983570352274)):
        pair = gsm8k(tables["gsm8k"], prefix)
        both_axes(checks, f"gsm8k longest first, {prefix} before", asked, pair, 0.5977841005695825, dollars)
    weak, strong, size = outcomes(tables["mt-bench"], "mt-bench")
    free = Pair(weak, strong, np.zeros(len(weak)), np.ones(len(weak)))
    ours = apgr(route_curve(size, free), free.chord, by="calls")
    checks.same("mt-bench longest first, calls", ours, 0.547937396351575)


def both_axes(checks: Checks, name: str, score: Floats, pair: Pair, calls: float, dollars: float) -> None:
    """APGR of a score by calls and by dollars."""
    line = route_curve(score, pair)
    checks.same(f"{name}, calls", apgr(line, pair.chord, by="calls"), calls, within=1e-11)
    checks.same(f"{name}, dollars", apgr(line, pair.chord), dollars, within=5e-11)


def rules(checks: Checks, table: Rows) -> None:
    """GSM8K: prompts of 300 characters to the strong model, and a cascade that knows the grades."""
    print("\ngsm8k: a rule and a perfect check")
    long = column(clean(table), "prompt_chars") >= 300
    for prefix, rho, needed, gain in (
        (PREFIX, 0.45640787781050957, 1.1507962155464402, 0.011840906868887835),
        (0, 0.3742698355073898, 1.3778400384029303, 0.0008933543744661376),
    ):
        pair = gsm8k(table, prefix)
        found = judge(pair, route(pair, long))
        checks.same(f"rule, {prefix} before: rho", escalation(pair).weak, rho)
        checks.same(f"rule, {prefix} before: lift", found.lift, 1.3963675213675215)
        checks.same(f"rule, {prefix} before: needed", found.needed, needed)
        checks.same(f"rule, {prefix} before: gain over a coin", found.gain, gain)
    pair = gsm8k(table, PREFIX)
    measured(checks, "rule", pair, route(pair, long), (0.0, 0.025), 0.026)
    fails = pair.weak_quality == 0
    found, terms = judge(pair, cascade(pair, fails)), escalation(pair, fails)
    checks.same("perfect check: quality", found.quality, 0.9296097934200459)
    checks.same("perfect check: cost over strong", 1 - found.saving_over_strong, 0.8414143507127009)
    checks.same("perfect check: kappa", terms.moved_strong, 1.0616106752809367)
    checks.same("perfect check: lift", found.lift, 3.6573634552273795)
    checks.same("perfect check: gain over a coin", found.gain, 0.13620512980313393)
    best = oracle(pair.weak_quality, pair.strong_quality, pair.weak_cost, pair.strong_cost)
    checks.same("oracle: quality", best.quality, 0.9296097934200459)


def measured(
    checks: Checks,
    name: str,
    pair: Pair,
    outcome: Outcome,
    bounds: tuple[float, float],
    p: float,
) -> None:
    """Interval and p of one policy against published ones, as near as draws allow."""
    found, (knows, pays) = gain_interval(pair, outcome), permutation_p(pair, [outcome])[0]
    within = 3 * float(np.sqrt(p * (1 - p) / 500))  # those published come from some 500 permutations
    checks.same(f"{name}: interval, low", found.low, bounds[0], within=0.0015)
    checks.same(f"{name}: interval, high", found.high, bounds[1], within=0.0015)
    checks.same(f"{name}: p of knowing anything", knows, p, within=within)
    checks.same(f"{name}: p of a gain over a coin", pays, p, within=within)


def learned(checks: Checks, tables: Mapping[str, Rows], prompts: list[str] | None) -> None:
    """Routers learned on each benchmark, out of fold and, to show the leak, in sample."""
    print("\nlearned routers, out of fold: three seeds of folds")
    table = tables["mmlu"]
    rows, pair = clean(table), mmlu(table, 0)
    texts = [row["item"].ljust(int(row["prompt_chars"])) for row in rows]
    subjects = [row["subject"] for row in rows]
    for seed in range(3):
        router = fit(texts, pair.gain, pair.extra, categories=subjects, words=False, seed=seed)
        plain = [router.gain(text, category=name) for text, name in zip(texts, subjects, strict=True)]
        line = route_curve(plain, pair)
        name = f"mmlu mean gain by subject, seed {seed}"
        checks.between(f"{name}, calls", apgr(line, pair.chord, by="calls"), 0.670, 0.687)
        checks.between(f"{name}, dollars", apgr(line, pair.chord), 0.595, 0.611)
        line = route_curve(router.scores(texts, categories=subjects), pair)
        checks.between(f"{name}, per extra $, calls", apgr(line, pair.chord, by="calls"), 0.592, 0.604)
        checks.between(f"{name}, per extra $, dollars", apgr(line, pair.chord), 0.738, 0.751)
    if prompts:
        words(checks, gsm8k(tables["gsm8k"], 0), prompts)


def words(checks: Checks, pair: Pair, prompts: list[str]) -> None:
    """GSM8K: words and length, the leak, the learning curve and the time of one decision."""
    for seed in range(3):
        router = fit(prompts, pair.gain, pair.extra, seed=seed)
        plain = [router.gain(text) for text in prompts]
        name = f"gsm8k words and length, seed {seed}"
        calls = apgr_interval(plain, pair, by="calls")
        checks.between(f"{name}, calls [{calls.low:.3f}, {calls.high:.3f}]", calls.estimate, 0.57, 0.75)
        checks.between(f"{name}, dollars", apgr(route_curve(plain, pair), pair.chord), 0.5, 0.75)
        line = route_curve(router.scores(prompts), pair)
        checks.between(f"{name}, per extra $, dollars", apgr(line, pair.chord), 0.5, 0.75)
        leak = [router.leaking.gain(text) for text in prompts]
        leaked = apgr(route_curve(leak, pair), pair.chord, by="calls")
        checks.between(f"{name}, LEAK: scored in sample", leaked, 1.0, 1.2)
    began = time.perf_counter()
    same = Router.from_json(router.to_json()).scores(prompts)
    spent = (time.perf_counter() - began) / len(prompts)
    checks.between("seconds a decision, loading included", spent, 0.0, 0.001)
    checks.same("scores after saving and loading", float(abs(same - router.scores(prompts)).max()), 0.0)
    beginnings(prompts, pair)


def beginnings(prompts: list[str], pair: Pair) -> None:
    """The learning curve: APGR by calls on the items not learned from (nothing to hold it against)."""
    for size in (200, 500, 1000):
        found = []
        for seed in range(20):
            order = np.random.default_rng(seed).permutation(pair.n)
            taught, rest = order[:size].tolist(), order[size:].tolist()
            texts = [prompts[place] for place in taught]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                router = fit(texts, pair.gain[taught], pair.extra[taught], folds=2)
            kept = Pair(*(getattr(pair, name)[rest] for name in pair.__slots__))
            plain = [router.gain(prompts[place]) for place in rest]
            found.append(apgr(route_curve(plain, kept), kept.chord, by="calls"))
        print(f"gsm8k learned from {size} labels: mean APGR by calls {np.mean(found):.3f}")


def chance(checks: Checks, pair: Pair) -> None:
    """Policies and scores that know nothing, on samples of real outcomes: what do the tests say of them?"""
    print("\ndecisions and scores that know nothing, on GSM8K's outcomes")
    policies, curves, inside, trials = [], [], 0, 1000
    for seed in range(trials):
        draw = np.random.default_rng(seed)
        items = draw.integers(0, pair.n, 300)
        one = Pair(*(getattr(pair, name)[items] for name in pair.__slots__))
        outcome = route(one, draw.random(one.n) < 0.3)
        found = gain_interval(one, outcome, draws=1000, seed=seed)
        inside += found.low <= 0 <= found.high
        if seed < SEEDS:
            policies.append(permutation_p(one, [outcome], permutations=499, seed=seed)[0][0])
            score = route_curve(draw.random(one.n), one)
            curves.append(curve_p(score, one, permutations=499, seed=seed)[0])
    checks.between(f"coverage of the 95% interval, {trials} random policies", inside / trials, 0.93, 0.97)
    for name, found_p in (("policies", policies), ("curves", curves)):
        p = float(kstest(found_p, "uniform").pvalue)
        checks.between(f"p of {SEEDS} random {name}: Kolmogorov-Smirnov against uniform", p, 0.01, 1.0)
        low = float(np.mean(np.array(found_p) <= 0.05))
        checks.between(f"p of {SEEDS} random {name}: share at most .05", low, 0.01, 0.10)
    scores = [np.random.default_rng(seed).random(pair.n) for seed in range(3)]
    null = np.mean([curve_p(route_curve(score, pair), pair, permutations=99)[1] for score in scores])
    checks.between("mean hull above the chord, 1,307 random scores", float(null), 0.0055, 0.007)
    checks.same("items for +2 points (p=.2, d=.13)", items_needed(0.02, spent=0.2, disagreement=0.13), 408)
    checks.same("items for +5 points (p=.2, d=.13)", items_needed(0.05, spent=0.2, disagreement=0.13), 65)
    checks.same("gsm8k disagreement d", headroom(pair).disagreement, 0.3641928, within=5e-8)


def marker(checks: Checks, table: Rows, answers: Path | None) -> None:
    """The cascade that moves up what has no "#### n" line in the weak answer."""
    pair = gsm8k(table, PREFIX)
    if answers:
        print("\ngsm8k: a cascade that looks for the #### marker")
    else:
        print("\ngsm8k: a cascade that looks for the #### marker, REBUILT, as the answers are not there:")
        print(
            "133 items (10.2%) of the weak model's failures, 84 of them solved by the strong one (lift 2.87)"
        )
    up = np.array([not re.search(MARKER, text) for text in weak_answers(table, answers)])
    outcome = cascade(pair, up)
    found_figures = judge(pair, outcome)
    checks.between("marker: share moved up", found_figures.moved, 0.1015, 0.1025)
    checks.between("marker: lift", found_figures.lift, 2.86, 2.88)
    checks.between("marker: quality", found_figures.quality, 0.7015, 0.7025)
    checks.between("marker: cost over strong", 1 - found_figures.saving_over_strong, 0.5625, 0.5715)
    print(f"marker: needed lift {found_figures.needed:.3f}, {escalation(pair, up)}")
    measured(checks, "marker", pair, outcome, (0.010, 0.028), 0.002)
    checks.between("marker: gain over a coin, points", 100 * found_figures.gain, 1.75, 2.1)


def swe_bench(checks: Checks) -> None:
    """Opus against Sonnet from published counts; what needs each task's own bill is not there."""
    print("\nSWE-bench Verified: counts and mean bills only (no kappa, no oracle cost)")
    stated = {
        "Opus 4 / Sonnet 4": (0.11960933562988493, 27.136428571, 0.328354, 0.671646, 1.488879, 0.140, 0.352),
        "Opus 4.5 / Sonnet 4.5": (
            0.024811974571552164,
            4.286842105,
            0.774139,
            0.225861,
            4.427502,
            0.130,
            0.294,
        ),
    }
    for name, (both, strong, weak, neither, high, low) in SWE_BENCH.items():
        counts = (both, strong, weak, neither)
        pair = Pair(
            np.repeat([1.0, 0.0, 1.0, 0.0], counts),
            np.repeat([1.0, 1.0, 0.0, 0.0], counts),
            np.full(500, low / 500),
            np.full(500, high / 500),
        )
        terms, found = escalation(pair), headroom(pair, names=("Sonnet", "Opus"))
        p, price, rho, even, needed, d, failed = stated[name]
        chord = pair.chord
        dollars = (chord.strong_cost - chord.weak_cost) / (chord.strong_quality - chord.weak_quality)
        checks.same(f"{name}: McNemar exact p", mcnemar(strong, weak).exact, p)
        checks.same(f"{name}: $ per extra solved task", dollars, price, within=1e-9)
        checks.same(f"{name}: rho", terms.weak, rho, within=1e-6)
        checks.same(f"{name}: break-even escalation", terms.break_even, even, within=1e-6)
        checks.same(f"{name}: needed lift", terms.needed(1.0), needed, within=1e-6)
        checks.same(f"{name}: disagreement", found.disagreement, d, within=1e-9)
        checks.same(f"{name}: moved by a perfect check", found.perfect.moved, failed, within=1e-9)
        checks.same(
            f"{name}: its quality", found.perfect.quality, 0.732 if failed > 0.3 else 0.79, within=1e-9
        )
        best = oracle(pair.weak_quality, pair.strong_quality, pair.weak_cost, pair.strong_cost)
        checks.same(f"{name}: oracle's quality", best.quality, found.perfect.quality, within=1e-9)
        print(f"{name}: lift of a perfect check {found.perfect.lift:.3f}\n  {found.sentence}")


if __name__ == "__main__":
    sys.exit(main())
