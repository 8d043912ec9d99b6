"""Charts: well-formed, escaped, readable without colour and without sight, equal for equal data."""

import re
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest

from models.charts import bar_chart, calibration_chart, contribution_bars, driver_bars, gain_curve, rates_chart
from models.exceptions import InputError
from models.metrics import CalibrationCurve, calibration_curve

SVG = "{http://www.w3.org/2000/svg}"
RNG = np.random.default_rng(0)
P = RNG.random(500)
CURVE = calibration_curve((RNG.random(500) < P).astype(float), P)
EMPTY_CURVE = CalibrationCurve(np.array([]), np.array([]), np.array([], dtype=np.int64))
NASTY = 'Smith & Sons <b>"x"</b> \x07\ud800'

CHARTS: dict[str, Callable[[str], str]] = {
    "bars": lambda text: bar_chart([text, "high_value"], [3.0, 1200.0], title=text, description=text),
    "contributions": lambda text: contribution_bars(
        [text, "rhythm"], [0.4, -1.2], title=text, description=text, towards=text, against=text
    ),
    "rates": lambda text: rates_chart(
        [text, "held out"], [0.1828, 0.1062], [0.17, 0.1], [0.19, 0.11], title=text, description=text
    ),
    "drivers": lambda text: driver_bars(
        [text, "rhythm"],
        [0.4, 0.1],
        [-0.2, -0.3],
        ["higher", None],
        title=text,
        description=text,
        towards_caption=text,
        against_caption=text,
    ),
    "calibration": lambda text: calibration_chart(CURVE, title=text, description=text),
    "calibration with intervals": lambda text: calibration_chart(
        CURVE, title=text, description=text, interval=(CURVE.observed * 0.9, CURVE.observed)
    ),
    "gain": lambda text: gain_curve([5.0, 3.0, 1.0], title=text, description=text, marked=2),
}
EMPTY_CHARTS = {
    "bars": lambda: bar_chart([], [], title="t", description="d"),
    "contributions": lambda: contribution_bars([], [], title="t", description="d"),
    "drivers": lambda: driver_bars([], [], [], [], title="t", description="d"),
    "calibration": lambda: calibration_chart(EMPTY_CURVE, title="t", description="d"),
    "gain": lambda: gain_curve([], title="t", description="d"),
}


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own text


def numbers(element: ElementTree.Element, *names: str) -> list[float]:
    return [float(element.attrib[name]) for name in names]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_well_formed_and_names_itself_to_screen_readers(name: str) -> None:
    root = parse(CHARTS[name]("Customers per segment"))
    assert root.tag == f"{SVG}svg"
    assert root.attrib["role"] == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text == "Customers per segment"
    assert root[1].tag == f"{SVG}desc"


@pytest.mark.parametrize("name", CHARTS)
def test_all_text_is_escaped(name: str) -> None:
    root = parse(CHARTS[name](NASTY))
    assert root[0].text == 'Smith & Sons <b>"x"</b>   '
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "text", "rect", "line", "circle", "polyline",
    }  # fmt: skip


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_scales_is_themed_from_outside_and_passes_a_strict_content_security_policy(name: str) -> None:
    svg = CHARTS[name]("t")
    root = parse(svg)
    assert root.attrib["width"] == "100%"
    assert root.attrib["fill"] == "currentColor"
    assert "style" not in svg
    assert "<script" not in svg
    for element in root.iter():
        for attribute in ("fill", "stroke"):
            assert re.fullmatch(
                r"none|currentColor|var\(--chart-[a-z]+, #[0-9a-f]{6}\)", element.attrib.get(attribute, "none")
            )


@pytest.mark.parametrize("name", CHARTS)
def test_text_is_at_least_11_pixels_at_the_width_of_a_phone(name: str) -> None:
    root = parse(CHARTS[name]("t"))
    width = float(root.attrib["viewBox"].split()[2])
    assert float(root.attrib["font-size"]) * 352 / width >= 11
    assert not [text for text in root.iter(f"{SVG}text") if "font-size" in text.attrib]


@pytest.mark.parametrize("name", CHARTS)
def test_everything_drawn_lies_inside_the_picture(name: str) -> None:
    root = parse(CHARTS[name]("t"))
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    for rect in root.iter(f"{SVG}rect"):
        x, y, w, h = numbers(rect, "x", "y", "width", "height")
        assert min(x, y, w, h) >= 0
        assert x + w <= width + 0.01
        assert y + h <= height + 0.01
    for text in root.iter(f"{SVG}text"):
        x, y = numbers(text, "x", "y")
        assert 0 <= x <= width
        assert 0 < y <= height
    for line in root.iter(f"{SVG}polyline"):
        points = np.array([[float(each) for each in point.split(",")] for point in line.attrib["points"].split()])
        assert points.min() >= 0
        assert (points <= [width, height]).all()


@pytest.mark.parametrize("name", CHARTS)
def test_equal_data_gives_equal_text(name: str) -> None:
    assert CHARTS[name]("t") == CHARTS[name]("t")


@pytest.mark.parametrize("name", EMPTY_CHARTS)
def test_without_data_a_plain_sentence_stands_inside(name: str) -> None:
    root = parse(EMPTY_CHARTS[name]())
    assert [text.text for text in root.iter(f"{SVG}text")] == ["There is no data to show yet."]
    assert "There is no data to show yet" in str(root[1].text)


def test_bars_are_as_long_as_their_values_and_the_description_tells_them_all() -> None:
    root = parse(bar_chart(["a", "b", "c"], [50.0, 200.0, 0.0], title="t", description="Customers.", decimals=1))
    lengths = [numbers(rect, "width")[0] for rect in root.iter(f"{SVG}rect")]
    assert lengths == pytest.approx([120.0, 480.0, 0.0], abs=0.01)
    assert root[1].text == "Customers. a: 50.0; b: 200.0; c: 0.0."


def test_bars_that_are_all_zero_have_no_length() -> None:
    root = parse(bar_chart(["a"], [0.0], title="t", description="d"))
    assert [numbers(rect, "width")[0] for rect in root.iter(f"{SVG}rect")] == [0.0]


def test_contributions_are_told_apart_by_side_and_sign_and_not_by_colour_alone() -> None:
    root = parse(contribution_bars(["for", "against", "none"], [0.5, -1.0, -0.001], title="t", description="d"))
    (x1, w1), (x2, w2), _ = [numbers(rect, "x", "width") for rect in root.iter(f"{SVG}rect")]
    assert (x1, w1) == pytest.approx((240.0, 120.0), abs=0.01)
    assert (x2, w2) == pytest.approx((0.0, 240.0), abs=0.01)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"+0.50", "−1.00", "0.00"} <= set(texts)


def test_long_labels_are_cut_in_the_picture_and_whole_in_the_description() -> None:
    label = "it has been 97 days since the last purchase and many more words follow here"
    root = parse(contribution_bars([label], [1.0], title="t", description="d"))
    assert max(len(str(text.text)) for text in root.iter(f"{SVG}text")) <= 50
    assert label in str(root[1].text)


def test_drivers_are_as_long_as_their_mean_size_and_parted_by_what_they_push_towards() -> None:
    svg = driver_bars(
        ["silence", "price", "season"],
        [0.6, 0.1, 0.0],
        [-0.2, -0.3, 0.0],
        ["higher", "lower", None],
        title="t",
        description="Drivers.",
        towards_caption="speaks for leaving",
        against_caption="speaks for staying",
    )
    root = parse(svg)
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.attrib["height"] == "10.00"]
    assert [numbers(bar, "x", "width") for bar in bars] == [
        pytest.approx(place, abs=0.01) for place in ([0, 360], [360, 120], [0, 60], [60, 180], [0, 0], [0, 0])
    ]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"silence ↑", "price ↓", "season", "0.80", "0.40", "0.00"} <= set(texts)
    assert {"↑ the higher, the likelier", "↓ the lower, the likelier"} <= set(texts)
    assert root[1].text == (
        "Drivers. silence: 0.80, of which 0.60 speaks for leaving and 0.20 speaks for staying; the higher, the "
        "likelier; price: 0.40, of which 0.10 speaks for leaving and 0.30 speaks for staying; the lower, the likelier; "
        "season: 0.00, of which 0.00 speaks for leaving and 0.00 speaks for staying."
    )


def test_arrows_are_explained_only_where_there_are_some() -> None:
    svg = driver_bars(["value"], [0.1], [-0.2], [None], title="t", description="d")
    assert "↑" not in svg


def test_a_perfect_calibration_lies_on_the_diagonal() -> None:
    share = np.array([0.1, 0.5, 0.9])
    root = parse(calibration_chart(CalibrationCurve(share, share, np.array([5, 10, 5])), title="t", description="d"))
    circles = np.array([numbers(circle, "cx", "cy") for circle in root.iter(f"{SVG}circle")])
    np.testing.assert_allclose(circles[:, 0] - 56, 434 - circles[:, 1], atol=0.01)
    assert [numbers(rect, "height")[0] for rect in root.iter(f"{SVG}rect")] == [20.0, 40.0, 20.0]
    assert "predicted 50.0%, came about 50.0%, 10 customers" in str(root[1].text)


def test_a_gain_curve_ends_at_the_total_and_marks_the_budget() -> None:
    svg = gain_curve(np.arange(1000.0, 0.0, -1.0), title="t", description="d", marked=250)
    root = parse(svg)
    assert "value gathered, up to 500,500" in svg
    assert "the first 250 contacted: 218,875" in str(root[1].text)
    (circle,) = root.iter(f"{SVG}circle")
    assert numbers(circle, "cx") == pytest.approx([8 + 456 / 4], abs=0.01)
    (curve,) = root.iter(f"{SVG}polyline")
    assert len(curve.attrib["points"].split()) == 201


def test_a_gain_curve_may_fall_where_contacts_cost_more_than_they_bring() -> None:
    root = parse(gain_curve([2.0, -1.0, -4.0], title="t", description="d"))
    (curve,) = root.iter(f"{SVG}polyline")
    heights = [float(point.split(",")[1]) for point in curve.attrib["points"].split()]
    assert heights.index(min(heights)) == 1
    assert heights.index(max(heights)) == 3


def test_illegal_data_is_refused() -> None:
    with pytest.raises(InputError, match="one for each of the 2 labels"):
        bar_chart(["a", "b"], [1.0], title="t", description="d")
    with pytest.raises(InputError, match="use contribution_bars for signs"):
        bar_chart(["a"], [-1.0], title="t", description="d")
    with pytest.raises(InputError, match="1 not finite"):
        contribution_bars(["a"], [float("nan")], title="t", description="d")
    with pytest.raises(InputError, match=r"got 1 directions, least 0, most 0\.3"):
        driver_bars(["a"], [0.5], [0.3], [None], title="t", description="d")
    with pytest.raises(InputError, match=r"each of the 1 labels.*got 0 directions"):
        driver_bars(["a"], [0.5], [-0.3], [], title="t", description="d")
    with pytest.raises(InputError, match="a mark between 0 and the 1 contacts, got 2"):
        gain_curve([1.0], title="t", description="d", marked=2)


def test_rates_are_drawn_with_their_intervals_on_a_scale_that_ends_in_a_round_number() -> None:
    chart = rates_chart(["mail", "none"], [0.18, 0.1], [0.17, 0.09], [0.19, 0.11], title="t", description="d.")
    points = [float(x) for x in re.findall(r'<circle cx="([0-9.]+)"', chart)]
    assert points == pytest.approx([480 * 0.18 / 0.2, 480 * 0.1 / 0.2])
    assert "mail: 18.00%, between 17.00% and 19.00%; none: 10.00%, between 9.00% and 11.00%" in chart
    assert ">20%</text>" in chart
    with pytest.raises(InputError, match="expected 0 <= low <= rate <= high <= 1"):
        rates_chart(["mail"], [0.2], [0.3], [0.4], title="t", description="d")
