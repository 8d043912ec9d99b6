"""A bundle: everything that scoring needs, as a directory of text files under a manifest of SHA-256.

No pickle, no customer ids, no clock: the same training gives the same bytes. Every file is verified before any is
parsed, and a bundle loads only while the catalogue still has each feature it lists, defined as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.catalogue import CATALOGUE
from models.binary_classifier import BinaryClassifier
from models.btyd import BetaGeoModel, BuyTillYouDieModel, GammaGammaModel
from models.calibrator import Calibrator
from models.clv import ClvTerms
from models.exceptions import ModelError
from models.logistic import LogisticModel
from models.propensity import PropensityModel
from models.purchase_model import PURCHASE_FEATURES, PurchaseModel
from models.segments import Cutoffs, SegmentPolicy

__all__ = ["Bundle", "BundleError", "TargetModel", "load_bundle", "save_bundle"]

_FORMAT = 1
_MANIFEST = "manifest.json"
_FILES = (
    "btyd.json",
    "bundle.json",
    "churn.calibrator.json",
    "churn.classifier.txt",
    "gamma_gamma.json",
    "report.json",
)
# Whatever the classifier reads: by the purchase model, and to tell who is eligible.
_ALWAYS_READ = (*PURCHASE_FEATURES, "days_since_last_purchase")
_CLASSIFIERS: Mapping[str, Callable[[str], BinaryClassifier]] = {
    PropensityModel.kind: PropensityModel.from_text,
    LogisticModel.kind: LogisticModel.from_text,
}
_BTYD: Mapping[str, type[BuyTillYouDieModel]] = {BetaGeoModel.name: BetaGeoModel}


class BundleError(ModelError):
    """A bundle that is damaged, incomplete, or made for other features than the catalogue's."""


@dataclass(frozen=True, slots=True)
class TargetModel:
    """A classifier of one target with its calibration.

    Attributes
    ----------
    name : str
        Such as "churn".
    classifier : BinaryClassifier
    calibrator : Calibrator
    base_rate : float
        Share of customers of the training rows for whom the target came about.
    """

    name: str
    classifier: BinaryClassifier
    calibrator: Calibrator
    base_rate: float


@dataclass(frozen=True, slots=True)
class Bundle:
    """One trained set of models and what they were trained for.

    Attributes
    ----------
    snapshot_date : str
        ISO date at which the log ended that it was fitted on.
    currency, timezone : str
    horizon_days, activity_days : int
    purchases : PurchaseModel
    clv_terms : ClvTerms
    churn : TargetModel
    policy : SegmentPolicy
        In force at training.
    cutoffs : Cutoffs
        Found at training under that policy.
    report : dict
        Quality against baselines, of the evaluated models; JSON-safe.
    """

    snapshot_date: str
    currency: str
    timezone: str
    horizon_days: int
    activity_days: int
    purchases: PurchaseModel
    clv_terms: ClvTerms
    churn: TargetModel
    policy: SegmentPolicy
    cutoffs: Cutoffs
    report: dict[str, Any]


def save_bundle(bundle: Bundle, directory: Path) -> tuple[str, str]:
    """Write a bundle into a folder of its own below `directory`, whole or not at all.

    Returns
    -------
    name : str
        Of the folder; derived from the content, so that the same bundle is written once.
    bundle_hash : str
        SHA-256 of the manifest, hexadecimal.
    """
    files = {name: text.encode() for name, text in _files(bundle).items()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    manifest = _json({"format": _FORMAT, "files": sums}).encode()
    bundle_hash = hashlib.sha256(manifest).hexdigest()
    name = f"bundle-{bundle_hash[:16]}"
    if not _is_whole(directory / name, bundle_hash):
        _write_folder(directory / name, {**files, _MANIFEST: manifest})
    return name, bundle_hash


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
    files = _verified(directory, expected_hash)
    main = json.loads(files["bundle.json"])
    _require_features(main["features"], directory)
    target = main["churn"]
    return Bundle(
        snapshot_date=main["snapshot_date"],
        currency=main["currency"],
        timezone=main["timezone"],
        horizon_days=main["horizon_days"],
        activity_days=main["activity_days"],
        purchases=PurchaseModel(
            _BTYD[main["btyd"]].from_dict(json.loads(files["btyd.json"])),
            GammaGammaModel.from_dict(json.loads(files["gamma_gamma.json"])),
        ),
        clv_terms=ClvTerms.from_dict(main["clv_terms"]),
        churn=TargetModel(
            name="churn",
            classifier=_CLASSIFIERS[target["classifier"]](files["churn.classifier.txt"]),
            calibrator=Calibrator.from_dict(json.loads(files["churn.calibrator.json"])),
            base_rate=target["base_rate"],
        ),
        policy=SegmentPolicy.from_dict(main["policy"]),
        cutoffs=Cutoffs.from_dict(main["cutoffs"]),
        report=json.loads(files["report.json"]),
    )


def _files(bundle: Bundle) -> dict[str, str]:
    churn = bundle.churn
    used = {*churn.classifier.feature_names_, *_ALWAYS_READ}
    main = {
        "snapshot_date": bundle.snapshot_date,
        "currency": bundle.currency,
        "timezone": bundle.timezone,
        "horizon_days": bundle.horizon_days,
        "activity_days": bundle.activity_days,
        "btyd": bundle.purchases.btyd.name,
        "clv_terms": bundle.clv_terms.to_dict(),
        "churn": {"classifier": churn.classifier.kind, "base_rate": churn.base_rate},
        "features": {name: CATALOGUE[name].definition_hash for name in sorted(used)},
        "policy": bundle.policy.to_dict(),
        "cutoffs": bundle.cutoffs.to_dict(),
    }
    return {
        "bundle.json": _json(main),
        "btyd.json": _json(bundle.purchases.btyd.to_dict()),
        "gamma_gamma.json": _json(bundle.purchases.gamma_gamma.to_dict()),
        "churn.classifier.txt": churn.classifier.to_text(),
        "churn.calibrator.json": _json(churn.calibrator.to_dict()),
        "report.json": _json(bundle.report),
    }


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _is_whole(folder: Path, bundle_hash: str) -> bool:
    try:
        _verified(folder, bundle_hash)
    except BundleError:
        return False
    return True


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder under another name and rename it, so that it appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        for file, content in files.items():
            _write_durably(unfinished / file, content)
        unfinished.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one of the same name
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _verified(directory: Path, expected_hash: str | None) -> dict[str, str]:
    """Read all files that the manifest lists; raise unless each is as it was written."""
    try:
        manifest = (directory / _MANIFEST).read_bytes()
    except OSError as error:
        raise BundleError(f"The bundle {directory.name} has no readable manifest: {error}. Train again.") from error
    if expected_hash is not None and hashlib.sha256(manifest).hexdigest() != expected_hash:
        raise BundleError(f"The manifest of bundle {directory.name} is not the one that was registered. Train again.")
    try:
        listed = json.loads(manifest)
        found_format, sums = listed["format"], dict(listed["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"The manifest of bundle {directory.name} can't be read: {error}. Train again.") from error
    if found_format != _FORMAT:
        raise BundleError(f"Bundle {directory.name} has format {found_format!r}, expected {_FORMAT}. Train again.")
    if set(sums) != set(_FILES):
        raise BundleError(
            f"The manifest of bundle {directory.name} lists {', '.join(sorted(sums)) or 'no files'}; expected "
            f"{', '.join(_FILES)}. Train again."
        )
    files = {}
    for name, expected in sums.items():
        try:
            content = (directory / name).read_bytes()
        except OSError as error:
            raise BundleError(f"Bundle {directory.name} lacks {name}: {error}. Train again.") from error
        if hashlib.sha256(content).hexdigest() != expected:
            raise BundleError(f"In bundle {directory.name} {name} was changed after training. Train again.")
        files[name] = content.decode()
    return files


def _require_features(listed: Mapping[str, str], directory: Path) -> None:
    changed = [
        name for name, known in listed.items() if name not in CATALOGUE or CATALOGUE[name].definition_hash != known
    ]
    if changed:
        raise BundleError(
            f"Bundle {directory.name} was trained on features that are gone or defined otherwise by now: "
            f"{', '.join(changed)}. Train again."
        )
