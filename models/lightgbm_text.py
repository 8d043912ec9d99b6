"""What is common to all boosted trees here: settings that give equal text for equal input, and text checked when read.

LightGBM may abort the process on a model text that is not whole, so it is checked before LightGBM parses it.
"""

from dataclasses import fields
from typing import Any

import lightgbm

from models.exceptions import InputError
from models.lightgbm_params import LightGBMParams

__all__ = ["booster_of", "columns_of", "params_of", "settings_for"]

_WRITTEN_AS = {"num_rounds": "num_iterations", "early_stopping_rounds": "early_stopping_round"}


def settings_for(
    params: LightGBMParams, *, objective: str, metric: str, seed: int, num_threads: int, draws_rows: bool
) -> dict[str, Any]:
    """Return LightGBM's settings of a fit whose text is the same each time, on one type of machine.

    Parameters
    ----------
    params : LightGBMParams
    objective, metric : str
        By LightGBM's names.
    seed : int
        From 0.
    num_threads : int
        From 1.
    draws_rows : bool
        Whether rows are drawn for each tree, where ``params`` asks for a share of them.

    Raises
    ------
    InputError
        The seed or the number of threads is outside its range.
    """
    if not 0 <= seed < 2**31:
        raise InputError(f"seed must be a whole number from 0 to {2**31 - 1}, got {seed!r}")
    if num_threads < 1:
        raise InputError(f"num_threads must be at least 1, got {num_threads!r}")
    of_trees = {field.name: getattr(params, field.name) for field in fields(params) if field.name not in _WRITTEN_AS}
    return {
        **of_trees,
        "objective": objective,
        "metric": metric,
        "bagging_freq": 1 if draws_rows and params.bagging_fraction < 1.0 else 0,
        "seed": seed,
        "num_threads": num_threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def booster_of(text: str, *, objective: str) -> lightgbm.Booster:
    """Return the booster of a model text, after checking that its trees are where its header says they are.

    ::

        tree ... objective=binary ... tree_sizes=1064 1187 ...
        <blank>
        Tree=0 ...   (1064 bytes)
        Tree=1 ...   (1187 bytes)
        end of trees ... end of parameters ...

    Raises
    ------
    InputError
        The text has another objective, or is not whole.
    """
    header, _, body = text.partition("\n\n")
    entries = dict(line.partition("=")[::2] for line in header.splitlines())
    if not text.startswith("tree\n") or not entries.get("objective", "").startswith(objective):
        raise InputError(
            f"expected the text of a LightGBM model with a {objective} objective, got text that starts {text[:40]!r}; "
            "train again or restore the file"
        )
    encoded = body.lstrip("\n").encode()
    start = 0
    for tree, size in enumerate(entries.get("tree_sizes", "").split()):
        if not encoded.startswith(f"Tree={tree}\n".encode(), start):
            raise InputError(f"the model text is damaged: tree {tree} is not where its header says; restore the file")
        start += int(size)
    if not encoded.startswith(b"end of trees", start) or b"end of parameters" not in encoded[start:]:
        raise InputError("the model text is not whole: its trees or its parameters break off; restore the file")
    return lightgbm.Booster(model_str=text)


def params_of(booster: lightgbm.Booster) -> LightGBMParams:
    """Return the settings that a booster was fitted with.

    ``early_stopping_rounds`` is the default where the fit watched no rows, since the text then doesn't say.
    """
    written = booster.params
    values = {
        field.name: written[_WRITTEN_AS.get(field.name, field.name)]
        for field in fields(LightGBMParams)
        if field.name != "early_stopping_rounds" or written["early_stopping_round"] > 0
    }
    return LightGBMParams(**values)


def columns_of(booster: lightgbm.Booster) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of a model's columns, in order, and those of them that hold codes of categories."""
    names = tuple(booster.feature_name())
    return names, tuple(names[position] for position in booster.params.get("categorical_feature", ()))
