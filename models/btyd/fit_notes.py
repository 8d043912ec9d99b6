"""What a reader must know of parameters that ended on a bound, or of which the customers tell too little."""

from models.btyd.fitting import Optimum
from models.btyd.histories import DistinctHistories

__all__ = ["notes_on"]

NOTES = {
    "no drop-out": "Almost no drop-out is seen: p_alive is close to 1 for nearly everybody and says little, "
    "and forecasts follow each customer's own rate.",
    "certain drop-out": "Nearly everybody drops out at the first chance, so few more purchases are forecast.",
    "two kinds": "Customers are seen either never to drop out or to do so at the first chance: p_alive after several "
    "purchases is close to 1 and says little.",
    "equal drop-out": "All customers look as if they were equally likely to drop out.",
    "equal rates": "All customers look as if they bought at one and the same rate.",
    "extreme rates": "Customers differ so much in how often they buy that hardly any two look alike: the forecast "
    "for a new customer says little.",
}
NEXT_TO = 100.0

UNOBSERVED = (
    "No customer has been observed for any length of time: nothing can be learnt, and the parameters are a mere "
    "assumption."
)


def notes_on(optimum: Optimum, histories: DistinctHistories) -> tuple[str, ...]:
    """Say in plain words what is wrong with the parameters of a buy-till-you-die model, and what it means."""
    _, _, more, less = optimum.params
    if not histories.T.values.any():
        return (UNOBSERVED,)
    if histories.n_purchases == 0:
        return (
            "No customer has bought again, so next to no purchase is forecast; "
            f"when customers drop out can't be learnt, and {more} and {less} say nothing.",
        )
    return (*_on_bounds(optimum), *_not_identified(optimum, histories.n_customers))


def _on_bounds(optimum: Optimum) -> tuple[str, ...]:
    _, _, more, less = optimum.params
    lower, upper = optimum.at_lower_bound, optimum.at_upper_bound
    found = []
    # Both parameters next to 0 make drop-out certain for some and impossible for the rest.
    if more in lower and optimum.params[less] < NEXT_TO * optimum.params[more]:
        found.append("two kinds")
    elif more in lower or (less in upper and more not in upper):
        found.append("no drop-out")
    elif less in lower:
        found.append("certain drop-out")
    elif more in upper:
        found.append("equal drop-out")
    if upper & {"r", "alpha"}:
        found.append("equal rates")
    elif lower & {"r", "alpha"}:
        found.append("extreme rates")
    return tuple(NOTES[finding] for finding in found)


def _not_identified(optimum: Optimum, n_customers: int) -> tuple[str, ...]:
    """Name the pairs of parameters that can't be told, unless one of them is on a bound and explains it."""
    r, alpha, more, less = optimum.params
    meanings = {(r, alpha): "how much customers differ in how often they buy", (more, less): "when they drop out"}
    customers = "One customer says" if n_customers == 1 else f"{n_customers:,} customers say"
    return tuple(
        f"{customers} next to nothing about {meaning}: {' and '.join(unknown)} can't be told, and forecasts that "
        "depend on it rest on little."
        for pair, meaning in meanings.items()
        if (unknown := [name for name in pair if name in optimum.certificate.not_identified])
        and not set(pair) & set(optimum.certificate.at_bound)
    )
