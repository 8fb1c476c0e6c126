"""Dollars: as a user writes them, and as whole numbers that a database adds up exactly."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal, Inexact, InvalidOperation

from .errors import UsageError

NANO = 1_000_000_000
EXACT = Context(prec=200, Emin=-9_999, Emax=9_999, traps=[Inexact, InvalidOperation])
"""Arithmetic that raises rather than rounds."""

MOST = Decimal(9_000_000_000)
"""USD; more nano-dollars than these do not fit a column."""


def nano(dollars: Decimal, *, up: bool = True) -> int:
    """Whole nano-dollars; charges are rounded up, ceilings down."""
    scaled = EXACT.scaleb(dollars, 9)
    return int(scaled.to_integral_value(ROUND_CEILING) if up else scaled)


def usd(nanos: int) -> Decimal:
    """Nano-dollars as USD."""
    return Decimal(nanos) / NANO


def split(dollars: Decimal) -> tuple[int, int | None]:
    """Whole nano-dollars, and the rest in 1e-18 USD; None where the amount has more digits than that."""
    scaled = EXACT.scaleb(dollars, 18)
    whole, rest = divmod(int(scaled), NANO)
    return whole, rest if scaled == int(scaled) else None


def joined(whole: int, rest: int) -> Decimal:
    """USD of nano-dollars and 1e-18 USD, exactly, without zeros at the end."""
    return of_units(whole * NANO + rest, 18)


def of_units(units: int, digits: int) -> Decimal:
    """USD of so many units of 10 ** -digits, exactly, without zeros at the end."""
    exact = EXACT.scaleb(Decimal(units), -digits)
    return (
        exact.quantize(Decimal(1), context=EXACT)
        if exact == exact.to_integral_value()
        else exact.normalize(EXACT)
    )


def total(amounts: list[Decimal]) -> Decimal:
    """The exact sum."""
    result = Decimal(0)
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result


def dollars(amount: float | str | Decimal) -> Decimal:
    """An amount of USD as the Decimal it was written as. Raises ``UsageError`` if it is none."""
    try:
        value = Decimal(str(amount))
    except ArithmeticError:
        raise UsageError(f"{amount!r} is no amount of USD; give a number such as 5.00") from None
    if not value.is_finite() or value <= 0:
        raise UsageError(f"a ceiling of {amount!r} USD allows nothing; give a number above 0")
    return value
