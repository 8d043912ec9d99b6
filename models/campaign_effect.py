"""What a campaign did: outcomes of those it was meant for against those held out, with what chance alone would show.

By assignment, not by contact (intention to treat): whoever was meant to be contacted counts as that, reached or not.
Only so do the arms differ in nothing but the campaign.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from scipy.special import stdtrit

from models.exceptions import InputError
from models.share_intervals import Interval, needed_sample, newcombe_difference, ratio_interval, wilson_interval

__all__ = [
    "ArmEffect",
    "ArmTally",
    "CampaignEffect",
    "Sample",
    "SaveRate",
    "find_save_rate",
    "measure_effect",
    "value_difference",
]

# Below it a mean of what most spend nothing of is not yet distributed as an interval takes it to be.
_FEWEST_BUYERS = 10
# Below it a rate is not, and the sample that it asks for is none.
_FEWEST_IN_AN_ARM = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTally:
    """Sums over the customers assigned to one arm.

    Attributes
    ----------
    arm : str
    n : int
        Customers whose outcome window has passed; all sums but `open` are over them.
    open : int
        Customers whose window has not.
    came : int
        For whom the outcome came about.
    value, squares : float
        Sum over customers of the value of their purchases within the window, and of its square.
    contacted : int
        Who were contacted in the campaign.
    contacts : int
    cost : float
        Of the contacts.
    """

    arm: str
    n: int
    open: int
    came: int
    value: float
    squares: float
    contacted: int
    contacts: int
    cost: float

    def __post_init__(self) -> None:
        if not (0 <= self.came <= self.n and 0 <= self.contacted <= self.n and min(self.open, self.cost) >= 0):
            raise InputError(
                f"arm {self.arm!r}: expected no more outcomes and contacted customers than customers, and nothing "
                f"below 0; got {self.came} and {self.contacted} of {self.n}, {self.open} open, cost {self.cost:g}"
            )

    @classmethod
    def together(cls, arm: str, tallies: Sequence[ArmTally]) -> Self:
        """Return the sums of several arms as if they were one."""
        names = ("n", "open", "came", "value", "squares", "contacted", "contacts", "cost")
        return cls(arm=arm, **{name: sum(getattr(tally, name) for tally in tallies) for name in names})


@dataclass(frozen=True, slots=True)
class Sample:
    """How many customers it takes to tell a difference from chance, in 80 cases of 100, at the 5 % level.

    Attributes
    ----------
    difference : float
        The one in question, between the two rates.
    is_assumed : bool
        Whether it follows from the policy's save rate, as long as what was observed can't be told from nothing.
    contacted, held_out : int
        Customers needed in each arm, at the ratio that they have.
    contacted_missing, held_out_missing : int
        How many more than there are, whose window has passed; both 0 where it is enough.
    """

    difference: float
    is_assumed: bool
    contacted: int
    held_out: int
    contacted_missing: int
    held_out_missing: int

    @property
    def is_enough(self) -> bool:
        """Whether there are as many as needed."""
        return not (self.contacted_missing or self.held_out_missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEffect:
    """One arm, and, but for the held-out one, how it differs from the held-out one.

    Attributes
    ----------
    tally : ArmTally
    rate : Interval or None
        Share for whom the outcome came about (Wilson); None without customers, as all below.
    mean_value : float or None
        Value per customer.
    difference : Interval or None
        Of the rates: this arm less the held-out one (Newcombe's hybrid score).
    value_difference : Interval or None
        Of the values per customer; None where too little was bought to tell.
    gained : Interval or None
        Margin that the arm brought beyond what it would have without the campaign.
    net : Interval or None
        That, less the cost of the contacts.
    sample : Sample or None
        None where no difference was observed and none is assumed.
    """

    tally: ArmTally
    rate: Interval | None
    mean_value: float | None
    difference: Interval | None = None
    value_difference: Interval | None = None
    gained: Interval | None = None
    net: Interval | None = None
    sample: Sample | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRate:
    """Share of those who would have left who stayed because they were contacted.

    Attributes
    ----------
    rate : Interval
    n_contacted, n_held_out : int
    """

    rate: Interval
    n_contacted: int
    n_held_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignEffect:
    """What a campaign did, as far as it is known.

    Attributes
    ----------
    held_out : ArmEffect
    arms : tuple of ArmEffect
        The others, in the order given.
    save_rate : SaveRate or None
        Of all contacted arms together; None unless the outcome is a purchase and both have customers who didn't.
    """

    held_out: ArmEffect
    arms: tuple[ArmEffect, ...]
    save_rate: SaveRate | None

    @property
    def open(self) -> int:
        """Customers whose window has not passed, of all arms."""
        return sum(arm.tally.open for arm in (self.held_out, *self.arms))

    def to_dict(self) -> dict[str, Any]:
        """Return the effect as JSON-safe values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        save_rate = values["save_rate"]
        return cls(
            held_out=_arm(values["held_out"]),
            arms=tuple(map(_arm, values["arms"])),
            save_rate=None
            if save_rate is None
            else SaveRate(**{**save_rate, "rate": Interval.from_dict(save_rate["rate"])}),
        )


def measure_effect(
    held_out: ArmTally, arms: Sequence[ArmTally], *, margin: float, assumed_save_rate: float | None
) -> CampaignEffect:
    """Compare the arms of a campaign with the one that was held out.

    Parameters
    ----------
    held_out : ArmTally
    arms : sequence of ArmTally
    margin : float
        Share of a purchase's value that is margin.
    assumed_save_rate : float or None
        By the policy in force, for how many customers it takes as long as no difference can be told; None where the
        outcome is not a purchase.

    Returns
    -------
    CampaignEffect
    """
    together = ArmTally.together("", arms)
    return CampaignEffect(
        held_out=ArmEffect(tally=held_out, rate=_rate(held_out), mean_value=_mean(held_out)),
        arms=tuple(_compared(arm, held_out, margin, assumed_save_rate) for arm in arms),
        save_rate=None if assumed_save_rate is None else find_save_rate(together, held_out),
    )


def value_difference(one: ArmTally, other: ArmTally) -> Interval | None:
    """Return the difference of the mean values of two arms with its 95 % interval; None where too little was bought.

    Student (1908), Biometrika 6, 1-25, with one variance of both arms. Most customers spend nothing and few much, so
    that a small arm in which by chance nobody bought shows no variance of its own; an interval that takes it at its
    word finds gains where there are none.

    Returns
    -------
    Interval or None
        None with fewer than two customers in an arm, or where what was spent is that of fewer than ten customers:
        Kish's effective number, the square of the sum over the sum of squares.
    """
    spent, squares = one.value + other.value, one.squares + other.squares
    if min(one.n, other.n) < 2 or spent**2 < _FEWEST_BUYERS * squares or squares == 0.0:
        return None
    difference = one.value / one.n - other.value / other.n
    degrees = one.n + other.n - 2
    variance = sum(_deviations(arm) for arm in (one, other)) / degrees
    reach = float(stdtrit(degrees, 0.975)) * math.sqrt(variance * (1 / one.n + 1 / other.n))
    return Interval(difference, difference - reach, difference + reach)


def find_save_rate(contacted: ArmTally, held_out: ArmTally) -> SaveRate | None:
    """Return which share of those who would have left stayed because they were contacted.

    That is the difference of the shares who purchased, over the share of the held-out who did not: 1 less the ratio of
    the shares who left, with the score interval of that ratio.

    Returns
    -------
    SaveRate or None
        None where nobody of an arm left, of which there is no ratio.
    """
    left, left_held_out = contacted.n - contacted.came, held_out.n - held_out.came
    if not left or not left_held_out:
        return None
    ratio = ratio_interval(left, contacted.n, left_held_out, held_out.n)
    rate = Interval(1.0 - ratio.estimate, 1.0 - ratio.high, 1.0 - ratio.low)
    return SaveRate(rate=rate, n_contacted=contacted.n, n_held_out=held_out.n)


def _compared(arm: ArmTally, held_out: ArmTally, margin: float, assumed_save_rate: float | None) -> ArmEffect:
    if not arm.n or not held_out.n:
        return ArmEffect(tally=arm, rate=_rate(arm), mean_value=_mean(arm))
    by_customer = value_difference(arm, held_out)
    gained = None if by_customer is None else by_customer.times(margin * arm.n)
    difference = newcombe_difference(arm.came, arm.n, held_out.came, held_out.n)
    return ArmEffect(
        tally=arm,
        rate=_rate(arm),
        mean_value=_mean(arm),
        difference=difference,
        value_difference=by_customer,
        gained=gained,
        net=None if gained is None else gained.plus(-arm.cost),
        sample=_sample(arm, held_out, difference, assumed_save_rate),
    )


def _sample(arm: ArmTally, held_out: ArmTally, difference: Interval, assumed_save_rate: float | None) -> Sample | None:
    base, rate = held_out.came / held_out.n, arm.came / arm.n
    # A difference that may be chance says nothing of how many it takes to find one that is not.
    is_assumed = assumed_save_rate is not None and difference.low <= 0.0 <= difference.high
    if is_assumed and assumed_save_rate is not None:
        rate = base + assumed_save_rate * (1.0 - base)
    if rate == base:
        return None
    found = needed_sample(rate, base, ratio=arm.n / held_out.n)
    contacted, kept_out = (max(n, _FEWEST_IN_AN_ARM) for n in found)
    return Sample(
        difference=rate - base,
        is_assumed=is_assumed,
        contacted=contacted,
        held_out=kept_out,
        contacted_missing=max(0, contacted - arm.n),
        held_out_missing=max(0, kept_out - held_out.n),
    )


def _rate(arm: ArmTally) -> Interval | None:
    return wilson_interval(arm.came, arm.n) if arm.n else None


def _mean(arm: ArmTally) -> float | None:
    return arm.value / arm.n if arm.n else None


def _deviations(arm: ArmTally) -> float:
    """Return the sum of the squared deviations from the mean."""
    return max(0.0, arm.squares - arm.value**2 / arm.n)


def _arm(values: Mapping[str, Any]) -> ArmEffect:
    intervals = {
        name: None if values[name] is None else Interval.from_dict(values[name])
        for name in ("rate", "difference", "value_difference", "gained", "net")
    }
    sample = values["sample"]
    return ArmEffect(
        tally=ArmTally(**values["tally"]),
        mean_value=values["mean_value"],
        sample=None if sample is None else Sample(**sample),
        **intervals,
    )
