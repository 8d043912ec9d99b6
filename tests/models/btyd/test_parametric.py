"""What all models share: known parameters, and a dictionary that is read with care."""

from typing import Any

import pytest

import models.btyd
from models.btyd import BetaGeoModel, GammaGammaModel
from models.exceptions import InputError

CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}


def test_given_parameters_are_not_passed_off_as_fitted() -> None:
    model = BetaGeoModel.from_params(**CDNOW)

    assert model.n_customers_ == 0
    assert not model.certificate_.converged
    assert model.certificate_.notes == ("The parameters were given, not fitted.",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r": -1.0}, "expected finite parameters above 0"),
        ({"a": float("nan")}, "expected finite parameters above 0"),
        ({"q": 3.0}, "expected the parameters r, alpha, a, b, got r, alpha, a, b, q"),
    ],
)
def test_illegal_parameters_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BetaGeoModel.from_params(**(CDNOW | change))


def test_missing_parameters_are_refused() -> None:
    with pytest.raises(InputError, match="expected the parameters r, alpha, a, b, got r"):
        BetaGeoModel.from_params(r=0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "gamma_gamma"}, "expected a model of the kind 'bg_nbd', got 'gamma_gamma'"),
        ({"params": {"r": 1.0}}, "expected the parameters"),
    ],
)
def test_a_dictionary_of_another_model_is_refused(change: dict[str, Any], message: str) -> None:
    fields = BetaGeoModel.from_params(**CDNOW).to_dict()

    with pytest.raises(InputError, match=message):
        BetaGeoModel.from_dict(fields | change)


def test_a_dictionary_without_a_field_is_refused_by_name() -> None:
    fields = BetaGeoModel.from_params(**CDNOW).to_dict()
    del fields["certificate"]

    with pytest.raises(InputError, match=r"missing \['certificate'\]"):
        BetaGeoModel.from_dict(fields)


def test_a_model_shows_its_parameters() -> None:
    assert repr(BetaGeoModel.from_params(**CDNOW)) == "BetaGeoModel(r=0.243, alpha=4.414, a=0.793, b=2.426)"
    assert repr(GammaGammaModel()) == "GammaGammaModel()"


def test_the_public_face_of_the_package_is_sorted_and_there() -> None:
    constants_first = sorted(models.btyd.__all__, key=lambda name: (not name.isupper(), name))
    assert constants_first == models.btyd.__all__
    assert all(hasattr(models.btyd, name) for name in models.btyd.__all__)
