"""Graders of texts and lists by overlap: set and token F1, SQuAD's exact match, ROUGE, BLEU and chrF.

A target may be one text or a list of them; where several are right, the nearest counts.
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from functools import partial
from typing import Any, Literal

from .errors import TaskError
from .grades import Grade, Grader, Item, fold, needs
from .rouge import Variant
from .rouge import rouge as rouge_of

_SPLIT = re.compile(r"[,;\n]")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def set_f1(*, separator: str | None = None) -> Grader:
    """F1 of the things an answer lists against those the target lists, without order or repetition.

    A list is JSON, or a text split at ``separator`` (None: at commas, semicolons and line ends), without
    bullets and numbers before the lines. Case and closing marks do not count.
    """
    if separator == "":
        raise TaskError("separator is empty; give the text between two things, or leave it out")
    return Grader("set_f1", partial(_set_f1, separator=separator))


def token_f1() -> Grader:
    """F1 of the words an answer shares with the target, as SQuAD counts it (Rajpurkar et al. 2016).

    Lower case, without punctuation and articles. An empty target, as SQuAD 2 has it for a question without
    an answer, wants an empty answer.
    """
    return Grader("token_f1", _token_f1)


def squad_exact() -> Grader:
    """The answer is the target word for word once case, punctuation and articles are gone, as in SQuAD."""
    return Grader("squad_exact", _squad_exact)


def rouge(
    variant: Variant = "L",
    *,
    measure: Literal["precision", "recall", "f1"] = "f1",
    stemmer: bool = False,
) -> Grader:
    """ROUGE (Lin 2004): shared words, word pairs or longest common sequence.

    Args:
        variant: "Lsum" takes the lines of a summary one by one, "L" the whole.
        stemmer: count "walks" and "walked" as one word (English only).
    """
    if variant not in ("1", "2", "L", "Lsum") or measure not in ("precision", "recall", "f1"):
        raise TaskError(
            f'variant is {variant!r} and measure {measure!r}; they are "1", "2", "L" or "Lsum" and '
            '"precision", "recall" or "f1"'
        )
    if stemmer:
        needs("nltk", "nltk", "rouge with stemmer=True")
    return Grader("rouge", partial(_rouge, variant=variant, measure=measure, stemmer=stemmer))


def bleu() -> Grader:
    """BLEU of one sentence by the package sacrebleu (Post 2018), from 0 to 1: 4-grams, smoothed."""
    needs("sacrebleu", "sacrebleu", "bleu")
    return Grader("bleu", _bleu)


def chrf(*, word_order: int = 0) -> Grader:
    """chrF (Popović 2015) by the package sacrebleu, from 0 to 1; ``word_order=2`` is chrF++."""
    needs("sacrebleu", "sacrebleu", "chrf")
    return Grader("chrf", partial(_chrf, word_order=word_order))


def squad_words(text: str) -> list[str]:
    """The words SQuAD compares: lower case, without ASCII punctuation, without a, an, the."""
    bare = "".join(mark for mark in text.lower() if mark not in string.punctuation)
    return _ARTICLES.sub(" ", bare).split()


def f1_of_words(found: list[str], wanted: list[str]) -> float:
    """SQuAD's F1 of two lists of words, repetitions counted."""
    if not found or not wanted:
        return float(found == wanted)
    same = (Counter(found) & Counter(wanted)).total()
    if not same:
        return 0.0
    precision, recall = same / len(found), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def listed(value: Any, separator: str | None = None) -> list[str]:
    """The things in a list or in a text that lists them, in order, each once and folded."""
    if isinstance(value, str):
        value = _json_list(value) or [
            _BULLET.sub("", part) for part in (value.split(separator) if separator else _SPLIT.split(value))
        ]
    elif not isinstance(value, list | tuple | set):
        value = [value]
    return [part for part in dict.fromkeys(fold(str(part)) for part in value) if part]


def _set_f1(answer: str, item: Item, *, separator: str | None) -> Grade:
    found, wanted = listed(answer, separator), listed(item["target"], separator)
    missing = [part for part in wanted if part not in found]
    extra = [part for part in found if part not in wanted]
    same = len(wanted) - len(missing)
    score = 2 * same / (len(found) + len(wanted)) if found or wanted else 1.0
    faults = [
        f"{name} {', '.join(parts)}" for name, parts in (("missing", missing), ("extra", extra)) if parts
    ]
    return Grade(score, json.dumps(found, ensure_ascii=False), "; ".join(faults) or "the same things")


def _json_list(text: str) -> list[Any] | None:
    start, end = text.find("["), text.rfind("]")
    if not 0 <= start < end:
        return None
    try:
        value = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _token_f1(answer: str, item: Item) -> Grade:
    found = squad_words(answer)
    scores = [f1_of_words(found, squad_words(text)) for text in _references(item)]
    return _nearest(scores, " ".join(found), "token F1", item)


def _squad_exact(answer: str, item: Item) -> Grade:
    found = squad_words(answer)
    scores = [float(found == squad_words(text)) for text in _references(item)]
    return _nearest(scores, " ".join(found), "exact match", item)


def _rouge(answer: str, item: Item, *, variant: Variant, measure: str, stemmer: bool) -> Grade:
    place = ("precision", "recall", "f1").index(measure)
    scores = [rouge_of(answer, text, variant=variant, stemmer=stemmer)[place] for text in _references(item)]
    return _nearest(scores, answer, f"ROUGE-{variant} {measure}", item)


def _bleu(answer: str, item: Item) -> Grade:
    from sacrebleu import sentence_bleu

    return _whole(sentence_bleu(answer, _references(item)).score, answer, "BLEU", item)


def _chrf(answer: str, item: Item, *, word_order: int) -> Grade:
    from sacrebleu import sentence_chrf

    score = sentence_chrf(answer, _references(item), word_order=word_order).score
    return _whole(score, answer, "chrF" + "+" * word_order, item)


def _references(item: Item) -> list[str]:
    target = item["target"]
    texts = [str(text) for text in target] if isinstance(target, list | tuple) else [str(target)]
    return texts or [""]


def _nearest(scores: list[float], extracted: str, name: str, item: Item) -> Grade:
    best = max(range(len(scores)), key=scores.__getitem__)
    near = _references(item)[best]
    return Grade(scores[best], extracted, f"{name} {scores[best]:.3f} against {_brief(near)}")


def _whole(percent: float, extracted: str, name: str, item: Item) -> Grade:
    texts = _references(item)
    against = _brief(texts[0]) if len(texts) == 1 else f"{len(texts)} references together"
    return Grade(percent / 100, extracted, f"{name} {percent / 100:.3f} against {against}")


def _brief(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
