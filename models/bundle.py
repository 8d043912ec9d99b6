"""A bundle: everything that scoring needs, as text files.

No pickle, no customer ids, no clock: the same training gives the same bytes. A bundle loads only while the catalogue
still has each feature it lists, defined as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from features.build import FeaturePlan
from features.catalogue import find_feature
from features.feature import Feature
from features.reference import Reference
from features.slug import attribute_feature_name
from features.targets import CHURN, Target, TargetSet
from models.binary_classifier import BinaryClassifier
from models.bundle_folder import BundleError, read_folder, to_json, write_folder
from models.calibrator import Calibrator
from models.drift import TrainingDistribution
from models.logistic import LogisticModel
from models.model_inputs import ModelInputs
from models.outlook import PurchaseOutlook
from models.propensity import PropensityModel
from models.purchase_model import BTYD_FEATURES, PURCHASE_FEATURES, PurchaseModel
from models.segment_policy import SegmentPolicy
from models.segments import Cutoffs

__all__ = ["Bundle", "TargetModel", "load_bundle", "save_bundle"]

# Whatever the classifiers read: by the purchase model, and to tell who is eligible.
_READ_WITH_PURCHASES = (*PURCHASE_FEATURES, "days_since_last_purchase")
_CLASSIFIERS: Mapping[str, Callable[[str], BinaryClassifier]] = {
    PropensityModel.kind: PropensityModel.from_text,
    LogisticModel.kind: LogisticModel.from_text,
}
# What is kept of the outlook; the correction is kept where there is one.
_OUTLOOK_FILES = ("btyd.json", "gamma_gamma.json", "outlook.json")
_CORRECTION = "correction.txt"
# What bundles of before have not.
_DISTRIBUTIONS = "distributions.json"


@dataclass(frozen=True, slots=True)
class TargetModel:
    """A classifier of one target with its calibration.

    Attributes
    ----------
    target : Target
        With its horizon and activity window.
    classifier : BinaryClassifier
    calibrator : Calibrator
    base_rate : float
        Share of customers of the training rows for whom the target came about.
    edges : mapping of feature to tuple of float
        Where reports of drivers cut the values of a feature; ascending.
    makes_segment : bool
        False for a propensity that did not beat its baseline: it is scored, and nobody is singled out by it.
    """

    target: Target
    classifier: BinaryClassifier
    calibrator: Calibrator
    base_rate: float
    edges: Mapping[str, tuple[float, ...]]
    makes_segment: bool = True

    @property
    def name(self) -> str:
        """Of the target, such as "churn"."""
        return self.target.name


@dataclass(frozen=True)
class Bundle:
    """One trained set of models and what they were trained for.

    Attributes
    ----------
    snapshot_date : str
        ISO date at which the log ended that it was fitted on.
    currency, timezone : str
    horizon_days : int
        Of churn, and of the purchases expected.
    reference : Reference
        What of the whole business features are measured against.
    outlook : PurchaseOutlook or None
        None for a business without purchases, which then has no clv either.
    targets : mapping of name to TargetModel
        At least one; churn first where it is among them.
    policy : SegmentPolicy
        In force at training.
    cutoffs : Cutoffs
        Found at training under that policy.
    report : dict
        Quality against baselines, of the evaluated models; JSON-safe.
    distributions : mapping of name to TrainingDistribution
        By target: how features and scores were distributed where the log ended. Empty for a bundle made before these
        were kept.
    """

    snapshot_date: str
    currency: str
    timezone: str
    horizon_days: int
    reference: Reference
    outlook: PurchaseOutlook | None
    targets: Mapping[str, TargetModel]
    policy: SegmentPolicy
    cutoffs: Cutoffs
    report: dict[str, Any]
    distributions: Mapping[str, TrainingDistribution] = field(default_factory=dict)

    @property
    def purchases(self) -> PurchaseModel | None:
        """The model of purchases, None without any."""
        return None if self.outlook is None else self.outlook.purchases

    @property
    def churn(self) -> TargetModel | None:
        """The model of churn, None without one."""
        return self.targets.get(CHURN)

    @property
    def leading(self) -> TargetModel:
        """The model that lists and pages show first: churn, or else the first target."""
        return next(iter(self.targets.values()))

    @property
    def events_with_properties(self) -> tuple[str, ...]:
        """Names of the events whose properties have to be read to tell who is eligible."""
        return TargetSet(tuple(model.target for model in self.targets.values())).events_with_properties

    @cached_property
    def inputs(self) -> ModelInputs:
        """What makes the features that its models read."""
        declared = [feature for feature in map(_declared, self._read) if feature.source != "btyd"]
        return ModelInputs(self.reference, FeaturePlan.of(declared), self.purchases, self.horizon_days)

    @cached_property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """What the codes of categorical features stand for, by name of the feature."""
        return {
            attribute_feature_name(name): told.categories
            for name, told in self.reference.attributes.items()
            if told.kind == "category"
        }

    @property
    def _read(self) -> list[str]:
        used = {name for model in self.targets.values() for name in model.classifier.feature_names_}
        if self.outlook is not None:
            used.update((*_READ_WITH_PURCHASES, *BTYD_FEATURES, *self.outlook.feature_names))
        return sorted(used)


def _declared(name: str) -> Feature:
    feature = find_feature(name)
    if feature is None:
        raise BundleError(f"The catalogue has no feature {name!r} any more. Train again.")
    return feature


def save_bundle(bundle: Bundle, directory: Path) -> tuple[str, str]:
    """Write a bundle into a folder of its own below `directory`, whole or not at all.

    Returns
    -------
    name : str
        Of the folder; derived from the content, so that the same bundle is written once.
    bundle_hash : str
        SHA-256 of the manifest, hexadecimal.
    """
    return write_folder(directory, {name: text.encode() for name, text in _files(bundle).items()})


def load_bundle(directory: Path, *, expected_hash: str | None = None) -> Bundle:
    """Verify a bundle's files against its manifest, its features against the catalogue, and read it.

    Parameters
    ----------
    directory : Path
        The bundle's own folder.
    expected_hash : str, optional
        SHA-256 of the manifest as registered.

    Raises
    ------
    BundleError
        Says which file or which features are not what they were.
    """
    files = read_folder(directory, expected_hash)
    main = json.loads(files.get("bundle.json", "{}"))
    targets = main.get("targets", [])
    _require_files(directory, files, targets, outlook=main.get("outlook", []))
    _require_features(main["features"], directory)
    outlook = None
    if main["outlook"]:
        outlook = PurchaseOutlook.from_files(
            {name: files[name] if name == _CORRECTION else json.loads(files[name]) for name in main["outlook"]}
        )
    return Bundle(
        snapshot_date=main["snapshot_date"],
        currency=main["currency"],
        timezone=main["timezone"],
        horizon_days=main["horizon_days"],
        reference=Reference.from_dict(main["reference"]),
        outlook=outlook,
        targets={model.name: model for model in (_target_model(told, files) for told in targets)},
        policy=SegmentPolicy.from_dict(main["policy"]),
        cutoffs=Cutoffs.from_dict(main["cutoffs"]),
        report=json.loads(files["report.json"]),
        distributions={
            name: TrainingDistribution.from_dict(told)
            for name, told in json.loads(files.get(_DISTRIBUTIONS, "{}")).items()
        },
    )


def _target_model(told: Mapping[str, Any], files: Mapping[str, str]) -> TargetModel:
    target = Target.from_dict(told["target"])
    return TargetModel(
        target=target,
        classifier=_CLASSIFIERS[told["classifier"]](files[f"{target.name}.classifier.txt"]),
        calibrator=Calibrator.from_dict(json.loads(files[f"{target.name}.calibrator.json"])),
        base_rate=told["base_rate"],
        edges={name: tuple(edges) for name, edges in told["edges"].items()},
        makes_segment=told["makes_segment"],
    )


def _files(bundle: Bundle) -> dict[str, str]:
    outlook = {} if bundle.outlook is None else bundle.outlook.to_files()
    main = {
        "snapshot_date": bundle.snapshot_date,
        "currency": bundle.currency,
        "timezone": bundle.timezone,
        "horizon_days": bundle.horizon_days,
        "reference": bundle.reference.to_dict(),
        "outlook": sorted(outlook),
        "targets": [
            {
                "target": model.target.to_dict(),
                "classifier": model.classifier.kind,
                "base_rate": model.base_rate,
                "edges": {name: list(edges) for name, edges in model.edges.items()},
                "makes_segment": model.makes_segment,
            }
            for model in bundle.targets.values()
        ],
        "features": {name: _declared(name).definition_hash for name in bundle._read},
        "policy": bundle.policy.to_dict(),
        "cutoffs": bundle.cutoffs.to_dict(),
    }
    files = {"bundle.json": to_json(main), "report.json": to_json(bundle.report)}
    if bundle.distributions:
        files[_DISTRIBUTIONS] = to_json({name: told.to_dict() for name, told in bundle.distributions.items()})
    for name, content in outlook.items():
        files[name] = content if isinstance(content, str) else to_json(content)
    for name, model in bundle.targets.items():
        files[f"{name}.classifier.txt"] = model.classifier.to_text()
        files[f"{name}.calibrator.json"] = to_json(model.calibrator.to_dict())
    return files


def _require_files(
    directory: Path, files: Mapping[str, str], targets: list[dict[str, Any]], *, outlook: list[str]
) -> None:
    """Refuse a manifest that lists other files than its bundle is made of."""
    names = [told["target"]["name"] for told in targets]
    expected = {
        "bundle.json",
        "report.json",
        *(_OUTLOOK_FILES if outlook else ()),
        *((_CORRECTION,) if _CORRECTION in outlook else ()),
        *(f"{name}.{part}" for name in names for part in ("classifier.txt", "calibrator.json")),
    }
    if set(files) - {_DISTRIBUTIONS} != expected:
        raise BundleError(
            f"The manifest of bundle {directory.name} lists {', '.join(sorted(files)) or 'no files'}; expected "
            f"{', '.join(sorted(expected))}. Train again."
        )


def _require_features(listed: Mapping[str, str], directory: Path) -> None:
    changed = [
        name
        for name, known in listed.items()
        if (feature := find_feature(name)) is None or feature.definition_hash != known
    ]
    if changed:
        raise BundleError(
            f"Bundle {directory.name} was trained on features that are gone or defined otherwise by now: "
            f"{', '.join(changed)}. Train again."
        )
