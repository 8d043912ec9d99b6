"""Targets are data: what can be said of them, what is refused and in which words, and what conditions let through."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.conditions import Condition, meeting
from features.exceptions import TargetError
from features.targets import CHURN, DEFAULT_TARGETS, Kind, Target, TargetSet
from tests.features.strategies import PROPERTY

EXAMPLE = """
[[target]]
name = "churn"
kind = "event"
event = "Subscription Cancelled"
horizon_days = 30

[[target]]
name = "plan_upgrade"
kind = "event"
event = "Plan Changed"
where = [{property = "plan", one_of = ["pro", "team"]}, {property = "value", at_least = 50, below = 1e3}]

[[target]]
name = "buys"
kind = "purchase"
horizon_days = 14
activity_days = 365

[[target]]
name = "upsell"
kind = "upsell"
ratio = 1.5

[[target]]
name = "explores"
kind = "new_category"
level = "department"
"""


def test_a_file_of_targets_is_read_as_it_is_meant() -> None:
    assert TargetSet.from_toml(EXAMPLE).targets == (
        Target(name="churn", kind="event", event="Subscription Cancelled", horizon_days=30),
        Target(
            name="plan_upgrade",
            kind="event",
            event="Plan Changed",
            where=(
                Condition(property="plan", one_of=("pro", "team")),
                Condition(property="value", at_least=50, below=1000.0),
            ),
        ),
        Target(name="buys", kind="purchase", horizon_days=14, activity_days=365),
        Target(name="upsell", kind="upsell", ratio=1.5),
        Target(name="explores", kind="new_category", level="department"),
    )


def test_the_default_is_churn_by_inactivity_and_upsell() -> None:
    text = '[[target]]\nname = "churn"\nkind = "inactivity"\n[[target]]\nname = "upsell"\nkind = "upsell"\nratio = 1.25'
    assert TargetSet.from_toml(text) == DEFAULT_TARGETS


def test_the_document_has_a_legal_example_and_names_every_key_kind_and_test() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "targets.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert [target.name for target in TargetSet.from_toml(example).targets] == ["churn", "upsell", "plan_upgrade"]
    tests = [field.name.removesuffix("_") for field in fields(Condition)]
    names = [field.name for field in fields(Target)] + tests + list(get_args(Kind))
    assert [name for name in names if f"`{name}`" not in text] == []


_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
_numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**40), 2**40)
_scalars = _texts | _numbers | st.booleans()


@st.composite
def _conditions(draw: st.DrawFn) -> Condition:
    name = draw(_texts.filter(lambda text: text != "value"))
    if draw(st.booleans()):
        return Condition(property=name, exists=draw(st.booleans()))
    bounds: dict[str, Any] = draw(
        st.dictionaries(st.sampled_from(("at_least", "at_most", "below", "above")), _numbers, min_size=1)
    )
    of_value = draw(st.booleans())
    compared = _numbers if of_value else _scalars
    return Condition(
        property="value" if of_value else name,
        is_=draw(st.none() | compared),
        one_of=draw(st.none() | st.lists(compared, min_size=1, max_size=3).map(tuple)),
        **bounds,
    )


@st.composite
def _targets(draw: st.DrawFn, name: str) -> Target:
    days: dict[str, Any] = {
        "horizon_days": draw(st.none() | st.integers(1, 1825)),
        "activity_days": draw(st.none() | st.integers(1, 7300)),
    }
    kind = draw(st.sampled_from(("event", "label", "inactivity") if name == CHURN else ("event", "upsell", "purchase")))
    if kind == "event":
        where = tuple(draw(st.lists(_conditions(), max_size=3)))
        return Target(name=name, kind="event", event=draw(_texts), where=where, **days)
    ratio = draw(st.floats(0.01, 100.0)) if kind == "upsell" else 1.25
    return Target(name=name, kind=kind, ratio=ratio, **days)  # type: ignore[arg-type]


@PROPERTY
@given(
    st.lists(st.sampled_from(("churn", "upsell", "a", "b_2")), min_size=1, unique=True).flatmap(
        lambda names: st.tuples(*map(_targets, names))
    )
)
def test_every_set_is_the_same_after_a_round_trip_through_toml_and_through_json(targets: tuple[Target, ...]) -> None:
    told = TargetSet(targets).to_dict()
    # As text: in Python 1 equals True.
    assert repr(TargetSet.from_dict(json.loads(json.dumps(told)))) == repr(TargetSet(targets))
    assert json.dumps(TargetSet.from_toml(TargetSet(targets).to_toml()).to_dict()) == json.dumps(told)


def _toml(**keys: str) -> str:
    return "[[target]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


_EVENT = {"name": '"x"', "kind": '"event"', "event": '"Paid"'}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[target]\n", "targets: not TOML: "),
        ("", "targets: expected at least one, written as [[target]], got none"),
        ("[target]\nname = 1", "targets: expected each target as a table of its own, written as [[target]]"),
        ("[[targets]]\nname = 'a'", "targets: unknown 'targets'; expected [[target]] and nothing else"),
        (_toml(kind='"purchase"'), "a target without name: name: expected a lower-case letter, then up to 39"),
        (_toml(name="3", kind='"purchase"'), "target 3: name: expected a lower-case letter, then up to 39"),
        (_toml(name='"Churn"', kind='"inactivity"'), "target 'Churn': name: expected a lower-case letter"),
        (_toml(name=f'"{"a" * 41}"', kind='"purchase"'), f"target '{'a' * 41}': name: expected"),
        (_toml(name='"x"'), "target 'x': kind: expected one of inactivity, event, purchase, upsell, new_category, "),
        (_toml(name='"x"', kind='"visit"'), "label, got 'visit'"),
        (_toml(name='"x"', kind='["event"]'), "target 'x': kind: expected one of"),
        (
            _toml(name='"x"', kind='"purchase"', horizon="7"),
            "target 'x': unknown key 'horizon'; expected some of name, ",
        ),
        (
            _toml(name='"x"', kind='"purchase"', horizon_days='"soon"'),
            "target 'x': horizon_days: expected a whole number of days from 1 to 1825, got 'soon'",
        ),
        (_toml(name='"x"', kind='"purchase"', horizon_days="true"), "from 1 to 1825, got True"),
        (_toml(name='"x"', kind='"purchase"', horizon_days="0"), "from 1 to 1825, got 0"),
        (_toml(name='"x"', kind='"purchase"', horizon_days="30.0"), "from 1 to 1825, got 30.0"),
        (
            _toml(name='"x"', kind='"purchase"', activity_days="9999"),
            "target 'x': activity_days: expected a whole number of days from 1 to 7300, got 9999",
        ),
        (
            _toml(name='"upsell"', kind='"upsell"', ratio="0"),
            "target 'upsell': ratio: expected a finite number above 0",
        ),
        (
            _toml(name='"upsell"', kind='"upsell"', ratio="nan"),
            "target 'upsell': ratio: expected a finite number above",
        ),
        (_toml(name='"upsell"', kind='"upsell"', ratio='"2"'), "above 0, got '2'"),
        (
            _toml(name='"x"', kind='"purchase"', ratio="2"),
            "target 'x': ratio: expected with kind upsell only, got it with kind purchase; take it out",
        ),
        (_toml(name='"x"', kind='"purchase"', ratio="1.25"), "target 'x': ratio: expected with kind upsell only"),
        (_toml(name='"x"', kind='"upsell"', event='"Paid"'), "target 'x': event: expected with kind event only"),
        (_toml(name='"x"', kind='"upsell"', level='"a"'), "target 'x': level: expected with kind new_category only"),
        (_toml(name='"x"', kind='"label"', where="[]"), "target 'x': where: expected with kind event only"),
        (_toml(name='"x"', kind='"event"'), "target 'x': event: expected the name of an event, such as"),
        (_toml(**{**_EVENT, "event": '" "'}), "target 'x': event: expected the name of an event"),
        (
            _toml(name='"x"', kind='"new_category"', level="1"),
            "target 'x': level: expected the name of a category level",
        ),
        (_toml(name='"churn"', kind='"upsell"'), "target 'churn': kind: churn is one of inactivity, event, label, got"),
        (_toml(name='"x"', kind='"inactivity"'), "target 'x': kind: inactivity is churn, so its name must be 'churn'"),
        (
            2 * _toml(name='"churn"', kind='"inactivity"'),
            "target 'churn': name: expected one churn at most, got 2; name the others",
        ),
        (2 * _toml(name='"x"', kind='"purchase"'), "target 'x': name: expected each once, got 2 of this name"),
        (_toml(**_EVENT, where='"plan"'), "target 'x': where: expected a list such as [{property = "),
        (_toml(**_EVENT, where="[3]"), "target 'x': where: expected a list such as [{property = "),
        (_toml(**_EVENT, where="[{is = 1}]"), "target 'x': where: condition 1: property: expected the name of a prop"),
        (
            _toml(**_EVENT, where='[{property = "a"}]'),
            "where: condition 1: expected a test of 'a': is, one_of, at_least",
        ),
        (
            _toml(**_EVENT, where='[{property = "a", is = 1}, {property = "b", equals = 2}]'),
            "target 'x': where: condition 2: unknown key 'equals'; expected some of property, is, one_of",
        ),
        (_toml(**_EVENT, where='[{property = "a", is = []}]'), "condition 1: is: expected a text, a finite number, tr"),
        (_toml(**_EVENT, where='[{property = "a", is = 2024-01-01}]'), "condition 1: is: expected a text, a finite"),
        (_toml(**_EVENT, where='[{property = "a", one_of = "b"}]'), "condition 1: one_of: expected a list of texts"),
        (_toml(**_EVENT, where='[{property = "a", one_of = []}]'), "condition 1: one_of: expected a list of texts"),
        (_toml(**_EVENT, where='[{property = "a", at_least = "5"}]'), "at_least: expected a finite number, got '5'"),
        (_toml(**_EVENT, where='[{property = "a", below = inf}]'), "below: expected a finite number, got inf"),
        (_toml(**_EVENT, where='[{property = "a", exists = 1}]'), "exists: expected true or false, got 1"),
        (
            _toml(**_EVENT, where='[{property = "a", exists = false, is = 1}]'),
            "exists: expected no further test of 'a' where it is absent",
        ),
        (_toml(**_EVENT, where='[{property = "value", is = "50"}]'), "is: expected a finite number, since an event's"),
        (_toml(**_EVENT, where='[{property = "value", exists = true}]'), "exists: expected no such test of 'value'"),
    ],
)
def test_what_can_not_be_meant_is_refused_in_one_line_that_names_target_and_key(text: str, complaint: str) -> None:
    with pytest.raises(TargetError) as refused:
        TargetSet.from_toml(text)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_lengths_left_open_are_those_of_the_training_and_the_window_is_twice_the_horizon() -> None:
    open_target, own = Target(name="a", kind="purchase"), Target(name="b", kind="purchase", horizon_days=14)
    both = Target(name="c", kind="purchase", horizon_days=14, activity_days=60)
    lengths = [
        (target.horizon, target.activity)
        for activity in (None, 100)
        for target in (target.with_defaults(90, activity) for target in (open_target, own, both))
    ]
    assert lengths == [(90, 180), (14, 28), (14, 60), (90, 100), (14, 100), (14, 60)]
    with pytest.raises(TargetError, match="target 'a': horizon_days: expected to be set, got none; call with_defaults"):
        _ = open_target.horizon


def test_events_whose_properties_matter_are_named_once_and_those_of_which_only_the_value_matters_are_not() -> None:
    by_plan, by_value = Condition(property="plan", is_="a"), Condition(property="value", above=1)
    told = TargetSet(
        (
            Target(name="a", kind="event", event="Plan Changed", where=(by_value, by_plan)),
            Target(name="b", kind="event", event="Plan Changed", where=(by_plan,)),
            Target(name="c", kind="event", event="Bill Paid", where=(by_value,)),
            Target(name="d", kind="event", event="Added", where=(by_plan,)),
            Target(name="e", kind="purchase"),
        )
    )
    assert told.events_with_properties == ("Added", "Plan Changed")


def test_a_target_is_told_in_words() -> None:
    assert [target.describe() for target in TargetSet.from_toml(EXAMPLE).targets] == [
        "the event “Subscription Cancelled”",
        'the event “Plan Changed” where plan is "pro" or "team" and value at least 50 and below 1000',
        "a purchase",
        "orders worth more than 1.5 times what was expected, on average",
        "a purchase from a category never bought before, on the level “department”",
    ]


@pytest.mark.parametrize(
    ("condition", "passing", "failing"),
    [
        ({"is": "pro"}, ["pro"], ["Pro", "pro ", "", None, 1, True, ["pro"], {"pro": 1}]),
        ({"is": 5}, [5, 5.0, "5", " 5.0 ", "5e0"], ["five", 6, True, None, "", "nan", [5]]),
        ({"is": "5"}, ["5", 5, 5.0], ["5.0", 6, True]),
        ({"is": 1}, [1, "1"], [True, "true"]),
        ({"is": True}, [True, "true", "TRUE "], [False, 1, "1", "yes", "false", None]),
        ({"is": False}, [False, "false"], [True, 0, None, ""]),
        ({"one_of": ["a", 2]}, ["a", 2, "2"], ["b", 3, None]),
        ({"at_least": 2, "below": 10}, [2, "9.99", 9], [1.99, 10, "ten", None, True, "inf", 10**400]),
        ({"above": 2, "at_most": 10}, [2.01, "10"], [2, 10.01]),
        ({"is": 3, "above": 2}, [3, "3"], [2, 4]),
        ({"exists": True}, ["a", 0, False, []], [None, ""]),
        ({"exists": False}, [None, ""], ["a", 0, False, []]),
    ],
)
def test_a_condition_lets_through_what_it_says(
    condition: dict[str, Any], passing: list[Any], failing: list[Any]
) -> None:
    read = Condition.from_dict({"property": "a", **condition})
    assert [value for value in passing if not read.holds({"a": value})] == []
    assert [value for value in failing if read.holds({"a": value})] == []
    assert read.holds({"b": "pro"}) is (condition == {"exists": False})


def test_properties_are_judged_text_by_text_and_events_without_any_come_last() -> None:
    texts = ('{"a": "x", "b": 1}', '{"a": "x", "b": 3}', '{"b": 3}')
    wanted = (Condition(property="a", is_="x"), Condition(property="b", above=2))
    assert meeting(wanted, texts).tolist() == [False, True, False, False]
    assert meeting((Condition(property="a", exists=False),), texts).tolist() == [False, False, True, True]


def test_conditions_on_1_and_on_true_are_not_taken_for_each_other() -> None:
    texts = ('{"a": 1}', '{"a": true}')
    assert meeting((Condition(property="a", is_=1),), texts).tolist() == [True, False, False]
    assert meeting((Condition(property="a", is_=True),), texts).tolist() == [False, True, False]


@PROPERTY
@given(
    st.lists(st.sampled_from((-1.0, 0.0, 0.5, 2.0, 3.0, 1e9)), max_size=8),
    st.dictionaries(st.sampled_from(("at_least", "at_most", "below", "above")), st.sampled_from((0, 0.5, 2, 3.0))),
    st.sampled_from((None, 0, 2.0)),
    st.sampled_from((None, (0.5,), (3, 2))),
)
def test_a_condition_on_the_value_judges_numbers_as_one_on_a_property_does(
    values: list[float], bounds: dict[str, Any], is_: float | None, one_of: tuple[float, ...] | None
) -> None:
    if not bounds and is_ is None and one_of is None:
        return
    of_value = Condition(property="value", is_=is_, one_of=one_of, **bounds)
    of_property = Condition(property="a", is_=is_, one_of=one_of, **bounds)
    expected = [of_property.holds({"a": value}) for value in values]
    assert of_value.holds_for_values(np.array(values)).tolist() == expected
