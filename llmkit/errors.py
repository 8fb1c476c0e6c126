"""What can go wrong, and what to do about it.

LLMKitError
├── UsageError              the caller's input; also a ValueError
│   ├── UnknownModel        no such model; the nearest names are offered
│   ├── RetiredModel        asked live, but no longer served; the successor is named
│   ├── TaskError           a task, its items or its template do not fit together
│   ├── NotConnected        kit.connect(...) comes first, or a key is missing
│   └── NotSupported        this model or endpoint has no such feature
├── StoreError              the file of ledger and recordings cannot be used
├── NotFetched              a published file could not be had from where it is
├── NotRecorded             replay was asked for an answer that nobody recorded
├── SandboxUnavailable      model-written code cannot be enclosed on this machine; nothing of it was run
├── BudgetExceeded          the worst case of the next call does not fit under a ceiling
├── Stopped                 the run around a call was left before it was sent
└── CallError               a call failed; says what was attempted and what may have been paid
    ├── Rejected            stop: the request itself is wrong; asking again gives the same
    ├── Refused             skip: this key, account or model is of no use for the whole run
    ├── RateLimited         wait: too many requests for now
    ├── Busy                busy: overloaded, timed out or cut off before the first text
    └── Partial             partial: cut off after text had been shown; the text is attached

Interrupted is a KeyboardInterrupt, so that ``except Exception`` does not swallow it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

Verdict = Literal["stop", "skip", "wait", "busy", "partial"]


class LLMKitError(Exception):
    """Everything llmkit raises on purpose."""


class UsageError(LLMKitError, ValueError):
    """The input cannot work; nothing was sent and nothing was paid."""


class UnknownModel(UsageError):
    """No model of that name is known."""


class RetiredModel(UsageError):
    """The model is no longer served; it can still be simulated and replayed."""


class TaskError(UsageError):
    """Items, prompt, target and grader of a task do not fit together."""


class NotConnected(UsageError):
    """No connection was chosen, or the chosen one lacks its key."""


class NotSupported(UsageError):
    """The model or the endpoint does not offer what the request asks for."""


class StoreError(LLMKitError):
    """The store file is locked, damaged, full or of another kind; nothing in it was changed.

    Attributes:
        damaged: True where the file no longer holds together and can only be set aside.
        response: the answer that was paid for and could not be written down, or None.
    """

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        super().__init__(message)
        self.damaged = damaged
        self.response: Any = None


class NotFetched(LLMKitError):
    """A published file could not be had, or is not the one expected; nothing of it was kept."""


class NotRecorded(LLMKitError):
    """Replay has no recording of this request."""


class BudgetExceeded(LLMKitError):
    """The worst case of a call does not fit under a ceiling; it was not sent.

    Attributes:
        attempts, steps: the calls already made on the way to this one, as for ``CallError``.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.attempts: tuple[str, ...] = ()
        self.steps: tuple[Any, ...] = ()


class Stopped(LLMKitError):
    """The run was interrupted, or failed, before this call of its was sent; nothing was paid for it."""


class SandboxUnavailable(LLMKitError):
    """Nothing here can enclose model-written code, so none was run."""


class CallError(LLMKitError):
    """A call that failed.

    Attributes:
        verdict: what it means for the next attempt (see the tree above).
        status: HTTP status, or None when no answer came.
        code: the provider's own error type or code, or None.
        request_id: the provider's id of the request, or None.
        retry_after: seconds the provider asked to wait, or None.
        maybe_paid: True when the provider may have charged for it.
        again: how many such failures of one call may be followed by another try, or None: as the retry says.
        partial: the text received before the failure.
        attempts: one short line per attempt, this one included.
        steps: the calls already made and paid for on the way to this one (see ``records.Step``).
    """

    verdict: ClassVar[Verdict] = "stop"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        maybe_paid: bool = False,
        partial: str = "",
        again: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.maybe_paid = maybe_paid
        self.partial = partial
        self.again = again
        self.attempts: tuple[str, ...] = ()
        self.steps: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuilt, (type(self), str(self), self.__dict__.copy()))


class Rejected(CallError):
    """The provider calls the request invalid."""

    verdict = "stop"


class Refused(CallError):
    """The key, the account or the model cannot be used."""

    verdict = "skip"


class RateLimited(CallError):
    """Too many requests or tokens for the moment."""

    verdict = "wait"


class Busy(CallError):
    """Overloaded, timed out, or cut off before any text was shown."""

    verdict = "busy"


class Partial(CallError):
    """The answer broke off after text had been shown."""

    verdict = "partial"


class Interrupted(KeyboardInterrupt):
    """The user stopped a run; what was answered is kept and is not paid again."""


def _rebuilt(kind: type[CallError], message: str, state: dict[str, Any]) -> CallError:
    error = kind(message)
    error.__dict__.update(state)
    return error
