"""A router learned from graded answers of two models: expected gain per extra dollar from cheap features.

Asked about an item it was trained on, it answers from the fold that had not seen that item. Scored on its own
training items instead, a router looks better than perfect (an APGR above 1) and earns nothing of it later.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from .curves import Floats
from .errors import UsageError

FEWEST, FEW = 200, 500
READ = 4_000  # characters of a prompt whose words are read, so that a decision stays under a millisecond
PRIOR = 20  # labels that the overall mean counts for in a category's mean
CHEAPEST = 0.05  # a predicted extra cost is at least this share of the mean one
ENDS = 10_000  # characters at either end of a longer prompt by which it is recognised
EXACT = 1e-9  # the residual of the ridge equations, relative to their right side
WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What was learned from one part of the items.

    Attributes:
        mean: gain of the part. categories: each one's gain above the mean, shrunk towards it.
        weights: of the hashed words, then of the length; (columns + 1,), empty if only categories count.
        length: mean and standard deviation of log(1 + characters).
        cost: extra cost (USD) at no characters, a character's, and the least believed.
    """

    mean: float
    categories: Mapping[str, float]
    weights: Floats
    length: tuple[float, float]
    cost: tuple[float, float, float]

    def gain(self, places: npt.NDArray[np.int_], size: int, category: str) -> float:
        """The expected gain of a prompt of ``size`` characters, its words hashed to ``places``."""
        found = self.mean + self.categories.get(category, 0.0)
        if len(self.weights):
            far = (math.log1p(size) - self.length[0]) / self.length[1]
            found += float(self.weights[-1]) * far
            if len(places):
                found += float(self.weights[places].sum()) / math.sqrt(len(places))
        return found

    def extra(self, size: int) -> float:
        """The expected extra cost (USD) of the dearer model for a prompt of ``size`` characters."""
        return max(self.cost[0] + self.cost[1] * size, self.cost[2])


@dataclass(frozen=True, eq=False, repr=False)
class Router:
    """Scores prompts by expected gain per extra dollar: move those of at least some score up.

    Attributes:
        whole: learned from all items, for prompts not among them. parts: learned without one fold each.
        folds: the fold of each item, by a hash of its text. columns: of the hashed words, 0 for none.
        note: a warning to show beside every figure, or "".
        named: the category of each item, by the same hash; empty where none were given.
    """

    whole: Fit
    parts: tuple[Fit, ...]
    folds: Mapping[str, int]
    columns: int
    note: str = ""
    named: Mapping[str, str] = field(default_factory=dict)

    def score(self, text: str, *, category: str = "") -> float:
        """Expected gain per extra dollar (1/USD) of moving this prompt up; the live decision."""
        return self.gain(text, category=category) / self.fit_for(text).extra(len(text))

    def __call__(self, text: str) -> float:
        """``score``, so that ``kit.route(sonnet, opus, by=router, at=...)`` asks it.

        A training item's category is known; of a new prompt say it yourself, or it counts as the mean:
        ``by=lambda prompt: router.score(prompt, category=mine(prompt))``.
        """
        return self.score(text)

    def __repr__(self) -> str:
        made = f"learned from {len(self.folds):,} prompts in {len(self.parts)} folds"
        return f"<Router {'; '.join(filter(None, (made, self.note)))}>"

    def cut(self, texts: Sequence[str], share: float) -> float:
        """The score from which on ``share`` of these prompts go up; 0 moves none of them, inf.

        Prompts of equal score go together, those at the edge up.
        """
        if not 0 <= share <= 1 or not len(texts):
            raise UsageError(f"share is {share!r} of {len(texts)} prompts; give 0 to 1 of at least one")
        count = round(share * len(texts))
        return float(np.sort(self.scores(texts))[::-1][count - 1]) if count else math.inf

    def gain(self, text: str, *, category: str = "") -> float:
        """Expected gain of moving this prompt up, in the unit of quality."""
        name = category or self.named.get(mark(text), "")
        return self.fit_for(text).gain(places(text, self.columns), len(text), name)

    def fit_for(self, text: str) -> Fit:
        """What may answer for this prompt: the part that never saw it, or the whole."""
        fold = self.folds.get(mark(text))
        return self.whole if fold is None else self.parts[fold]

    def scores(self, texts: Sequence[str], *, categories: Sequence[str] | None = None) -> Floats:
        """``score`` of each prompt, (n,); out of fold for training items."""
        labels = categories or [""] * len(texts)
        return np.array([self.score(text, category=label) for text, label in zip(texts, labels, strict=True)])

    @cached_property
    def leaking(self) -> Router:
        """The same without its folds, to show what scoring in sample would pretend; never to be used."""
        note = "scored on its own training items"
        return Router(self.whole, self.parts, {}, self.columns, note, self.named)

    def to_json(self) -> str:
        """All of it as JSON; it holds hashes of the training prompts, not their text."""

        def plain(value: Any) -> Any:
            return value.tolist() if isinstance(value, np.ndarray) else value

        fits = [{name: plain(v) for name, v in asdict(fit).items()} for fit in (self.whole, *self.parts)]
        rest = {"folds": dict(self.folds), "columns": self.columns, "note": self.note}
        rest |= {"named": dict(self.named)} if self.named else {}
        return json.dumps({"format": "llmkit router 1", "fits": fits, **rest})

    @classmethod
    def from_json(cls, text: str) -> Router:
        """The router that ``to_json`` wrote. Raises ``UsageError`` for anything else."""
        try:
            found = json.loads(text)
            if found["format"] != "llmkit router 1":
                raise ValueError(f"its format is {found['format']!r}")
            whole, *parts = (_fit_from(row) for row in found["fits"])
            folds = {str(key): int(fold) for key, fold in found["folds"].items()}
            if folds and not 0 <= min(folds.values()) <= max(folds.values()) < len(parts):
                raise ValueError("its folds and parts do not fit together")
            named = {str(key): str(name) for key, name in found.get("named", {}).items()}
            return cls(whole, tuple(parts), folds, int(found["columns"]), str(found["note"]), named)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise UsageError(
                f"this is no saved router ({type(error).__name__}: {error}); expected is the JSON that "
                "to_json() writes; fit the router again"
            ) from None


def fit(
    texts: Sequence[str],
    gains: npt.ArrayLike,
    extras: npt.ArrayLike,
    *,
    categories: Sequence[str] | None = None,
    groups: Sequence[Hashable] | None = None,
    words: bool = True,
    folds: int = 5,
    columns: int = 2048,
    ridge: float = 3.0,
    seed: int = 0,
) -> Router:
    """Learn a router from items that both models answered.

    Args:
        texts: the prompts, (n,). gains: quality of the dearer model less the cheaper, (n,).
        extras: its extra cost, USD, (n,).
        categories: one name an item; each becomes a mean shrunk towards the overall one. groups: what must
            never be split between folds, such as a document; prompts of equal text never are.
        words: learn words and length by ridge regression (Hoerl & Kennard 1970); else categories alone.
        columns: places that words and pairs of words are hashed to. ridge: the penalty.

    Raises ``UsageError`` under 200 items, for missing values, fewer groups than folds, or no extra cost on
    average. Warns under 500.
    """
    gain, extra = np.asarray(gains, dtype=float), np.asarray(extras, dtype=float)
    names = list(categories) if categories is not None else [""] * len(texts)
    note = _checked(texts, gain, extra, names)
    marks = [mark(text) for text in texts]
    fold = _folds(marks, groups, folds, seed)
    sizes = np.array([len(text) for text in texts], dtype=float)
    hashed = [places(text, columns) for text in texts] if words else []
    data = _Data(gain, extra, names, sizes, hashed, columns if words else 0, ridge)
    parts = tuple(data.learn(fold != k) for k in range(folds))
    whole = data.learn(fold >= 0)
    if note:
        warnings.warn(note, stacklevel=2)
    known = dict(zip(marks, fold.tolist(), strict=True))
    named = {} if categories is None else dict(zip(marks, names, strict=True))
    return Router(whole, parts, known, columns if words else 0, note, named)


def places(text: str, columns: int) -> npt.NDArray[np.int_]:
    """Where the words and the pairs of neighbouring words of a text are hashed to, each once."""
    if not columns:
        return np.empty(0, dtype=int)
    found = WORD.findall(text[:READ].lower())
    pairs = [f"{first} {second}" for first, second in pairwise(found)]
    return np.array(
        sorted({crc32(token.encode("utf-8", "surrogatepass")) % columns for token in [*found, *pairs]}),
        dtype=int,
    )


def mark(text: str) -> str:
    """What an item is recognised by."""
    if len(text) > 2 * ENDS:
        text = f"{len(text)} {text[:ENDS]} {text[-ENDS:]}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class _Data:
    """All items, from which parts are learned."""

    gain: Floats
    extra: Floats
    names: Sequence[str]
    sizes: Floats
    hashed: Sequence[npt.NDArray[np.int_]]
    columns: int
    ridge: float

    @cached_property
    def length(self) -> tuple[float, float]:
        logs = np.log1p(self.sizes)
        return float(logs.mean()), float(logs.std()) or 1.0

    @cached_property
    def counts(self) -> npt.NDArray[np.int_]:
        """How many places each item's words take, (n,)."""
        return np.array([len(found) for found in self.hashed])

    def learn(self, kept: npt.NDArray[np.bool_]) -> Fit:
        """What the kept items teach."""
        mean = float(self.gain[kept].mean())
        shrunk = self._categories(kept, mean)
        weights = np.empty(0)
        if self.columns:
            left = self.gain - mean - np.array([shrunk.get(name, 0.0) for name in self.names])
            weights, above = self._words(kept, left[kept])
            mean += above
        return Fit(mean, shrunk, weights, self.length, self._cost(kept))

    def _words(self, kept: npt.NDArray[np.bool_], target: Floats) -> tuple[Floats, float]:
        """Ridge weights of words and length, and the intercept, which is not penalised."""
        at = np.concatenate(self.hashed)[np.repeat(kept, self.counts)]
        counts = self.counts[kept]
        row = np.repeat(np.arange(len(counts)), counts)
        value = 1 / np.sqrt(counts[row])
        far = (np.log1p(self.sizes[kept]) - self.length[0]) / self.length[1]

        def forward(weights: Floats) -> Floats:
            sums = np.bincount(row, value * weights[:-1][at], minlength=len(counts))
            return np.asarray(sums + far * weights[-1])

        def back(errors: Floats) -> Floats:
            centred = errors - errors.mean()
            return np.append(
                np.bincount(at, value * centred[row], minlength=self.columns), float(far @ centred)
            )

        weights = _solved(lambda w: back(forward(w)) + self.ridge * w, back(target))
        return weights, float((target - forward(weights)).mean())

    def _categories(self, kept: npt.NDArray[np.bool_], mean: float) -> dict[str, float]:
        gains: dict[str, list[float]] = {}
        for item in np.flatnonzero(kept).tolist():
            if self.names[item]:
                gains.setdefault(self.names[item], []).append(float(self.gain[item]))
        return {
            name: (sum(found) + PRIOR * mean) / (len(found) + PRIOR) - mean for name, found in gains.items()
        }

    def _cost(self, kept: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
        size, extra = self.sizes[kept], self.extra[kept]
        spread = float(size.var())
        slope = float(((size - size.mean()) * (extra - extra.mean())).mean()) / spread if spread else 0.0
        return float(extra.mean() - slope * size.mean()), slope, CHEAPEST * float(self.extra.mean())


def _solved(matrix: Callable[[Floats], Floats], right: Floats) -> Floats:
    """The x of matrix(x) = right, symmetric and positive (conjugate gradients, Hestenes & Stiefel 1952)."""
    x, rest, step = np.zeros_like(right), right, right
    size = float(rest @ rest)
    stop = size * EXACT**2
    for _ in range(10 * len(right)):
        if size <= stop:
            break
        pushed = matrix(step)
        far = size / float(step @ pushed)
        x, rest = x + far * step, rest - far * pushed
        size, before = float(rest @ rest), size
        step = rest + size / before * step
    return x


def _checked(texts: Sequence[str], gain: Floats, extra: Floats, names: Sequence[str]) -> str:
    n = len(texts)
    if not n == len(gain) == len(extra) == len(names):
        raise UsageError(
            f"{n} texts, {len(gain)} gains, {len(extra)} extras, {len(names)} categories; give one an item"
        )
    missing = int((~(np.isfinite(gain) & np.isfinite(extra))).sum())
    if missing:
        raise UsageError(
            f"{missing} of {n} items lack a grade or a cost; leave them out, for no grade is no 0"
        )
    if n < FEWEST:
        raise UsageError(
            f"{n} graded items of both models are too few to learn a router: under {FEWEST} one hardly beats "
            f"a coin. Grade {FEWEST - n} more, or use a rule that needs none, such as the prompt's length"
        )
    if not extra.mean() > 0:
        raise UsageError(
            f"the model given as dearer costs ${-extra.mean():.6f} an item less, so nothing is to be "
            "rationed; give the two the other way round, or take it for everything"
        )
    few = f"learned from {n} graded items; from about {FEW} on a router can be relied on to beat a rule"
    return few if n < FEW else ""


def _folds(
    marks: Sequence[str], groups: Sequence[Hashable] | None, folds: int, seed: int
) -> npt.NDArray[np.int_]:
    """A fold for each item (n,); what shares a group or a text shares its fold, however long the chain."""
    if groups is not None and len(groups) != len(marks):
        raise UsageError(f"groups has {len(groups)} labels for {len(marks)} items; give one an item")
    parent: dict[Hashable, Hashable] = {}

    def root(node: Hashable) -> Hashable:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    for item, text in enumerate(marks):
        if groups is not None:
            parent[root(("text", text))] = root(("group", groups[item]))
    roots = [root(("text", text)) for text in marks]
    sizes: dict[Hashable, int] = {}
    for node in roots:
        sizes[node] = sizes.get(node, 0) + 1
    if not 2 <= folds <= len(sizes):
        raise UsageError(
            f"{len(sizes)} groups of items cannot be shared out among {folds} folds; "
            "give 2 folds or more, and no more than groups"
        )
    # The largest groups first, each to the emptiest fold; chance settles equal sizes.
    nodes = list(sizes)
    shuffled = [nodes[place] for place in np.random.default_rng(seed).permutation(len(nodes))]
    filled, chosen = [0] * folds, {}
    for node in sorted(shuffled, key=lambda node: -sizes[node]):
        chosen[node] = filled.index(min(filled))
        filled[chosen[node]] += sizes[node]
    return np.array([chosen[node] for node in roots])


def _fit_from(row: Mapping[str, Any]) -> Fit:
    mean, length, cost = float(row["mean"]), row["length"], row["cost"]
    categories = {str(name): float(value) for name, value in row["categories"].items()}
    weights = np.array(row["weights"], dtype=float)
    two, three = (float(length[0]), float(length[1])), (float(cost[0]), float(cost[1]), float(cost[2]))
    return Fit(mean, categories, weights, two, three)
