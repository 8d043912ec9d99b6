"""A bundle on disk: equal when loaded, refused when touched, whole or not there at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.catalogue import CATALOGUE
from features.feature import Feature
from features.windows import Snapshot
from models import bundle as bundle_module
from models.bundle import Bundle, load_bundle, save_bundle
from models.bundle_folder import BundleError
from models.exceptions import ModelError
from models.scoring import Scores, score
from tests.shop import AS_OF, shop_log, shop_training

FILES = (
    "btyd.json",
    "bundle.json",
    "churn.calibrator.json",
    "churn.classifier.txt",
    "distributions.json",
    "gamma_gamma.json",
    "manifest.json",
    "outlook.json",
    "report.json",
    "upsell.calibrator.json",
    "upsell.classifier.txt",
)
Change = Callable[[Path], None]


@pytest.fixture
def bundle() -> Bundle:
    return shop_training().bundle


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    name, _ = save_bundle(bundle, tmp_path / "bundles")
    return tmp_path / "bundles" / name


def _scores(bundle: Bundle) -> Scores:
    log = shop_log()
    return score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(AS_OF, log.calendar))


def test_a_loaded_bundle_scores_bit_for_bit_as_the_one_that_was_saved(bundle: Bundle, folder: Path) -> None:
    loaded, saved = _scores(load_bundle(folder)), _scores(bundle)
    assert loaded.frame.values.tobytes() == saved.frame.values.tobytes()
    for name in ("clv", "churn_probability", "member"):
        assert getattr(loaded, name).tobytes() == getattr(saved, name).tobytes(), name
    assert list(loaded.targets) == list(saved.targets) == ["churn", "upsell"]
    for target, of_saved in saved.targets.items():
        of_loaded = loaded.targets[target]
        for name in ("probability", "raw_margin", "values", "contributions"):
            assert getattr(of_loaded, name).tobytes() == getattr(of_saved, name).tobytes(), name
        assert of_loaded.base_value == of_saved.base_value


def test_everything_else_of_a_bundle_comes_back_too(bundle: Bundle, folder: Path) -> None:
    loaded = load_bundle(folder)
    plain = ("snapshot_date", "currency", "timezone", "horizon_days", "policy", "cutoffs", "reference", "distributions")
    for name in (*plain, "report"):
        assert getattr(loaded, name) == getattr(bundle, name), name
    for target, model in bundle.targets.items():
        of_loaded = loaded.targets[target]
        for name in ("target", "base_rate", "edges", "makes_segment"):
            assert getattr(of_loaded, name) == getattr(model, name), name
    assert loaded.outlook is not None
    assert bundle.outlook is not None
    assert loaded.outlook.to_files() == bundle.outlook.to_files()


def test_a_loaded_bundle_is_saved_as_the_same_bytes(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    name, _ = save_bundle(load_bundle(folder), tmp_path / "again")
    assert name == folder.name
    for file in FILES:
        assert (tmp_path / "again" / name / file).read_bytes() == (folder / file).read_bytes()


def test_saving_twice_gives_one_folder_named_after_the_hash_of_its_manifest(bundle: Bundle, tmp_path: Path) -> None:
    first, second = save_bundle(bundle, tmp_path), save_bundle(bundle, tmp_path)
    assert first == second
    name, bundle_hash = first
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == sorted(FILES)
    assert bundle_hash == hashlib.sha256((tmp_path / name / "manifest.json").read_bytes()).hexdigest()
    assert name == f"bundle-{bundle_hash[:16]}"


@pytest.mark.parametrize("file", [name for name in FILES if name != "manifest.json"])
@pytest.mark.parametrize("place", ["first", "middle", "last", "added"])
def test_one_changed_byte_of_any_file_is_found_and_the_file_named(folder: Path, file: str, place: str) -> None:
    content = bytearray((folder / file).read_bytes())
    if place == "added":
        content += b" "
    else:
        content[{"first": 0, "middle": len(content) // 2, "last": -1}[place]] ^= 1
    (folder / file).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{folder.name} {file} was changed after training\. Train again"):
        load_bundle(folder)


@pytest.mark.parametrize("file", [name for name in FILES if name != "manifest.json"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(BundleError, match=f"lacks {file}: .* Train again"):
        load_bundle(folder)


def test_a_folder_without_manifest_is_no_bundle(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(BundleError, match=f"{folder.name} has no readable manifest"):
        load_bundle(folder)
    with pytest.raises(BundleError, match="no readable manifest"):
        load_bundle(folder.with_name("nowhere"))


def test_a_bundle_that_was_exchanged_as_a_whole_is_not_the_registered_one(bundle: Bundle, folder: Path) -> None:
    manifest = (folder / "manifest.json").read_bytes()
    assert load_bundle(folder, expected_hash=hashlib.sha256(manifest).hexdigest()).horizon_days == bundle.horizon_days
    with pytest.raises(BundleError, match="not the one that was registered"):
        load_bundle(folder, expected_hash="0" * 64)


def _without_report(manifest: dict[str, Any]) -> None:
    del manifest["files"]["report.json"]


def _with_a_stranger(manifest: dict[str, Any]) -> None:
    manifest["files"]["../../secret"] = "0" * 64


def _of_tomorrow(manifest: dict[str, Any]) -> None:
    manifest["format"] = 4


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_without_report, "lists btyd.json, .*; expected .*report.json"),
        (_with_a_stranger, "lists a file by the name of ../../secret"),
        (_of_tomorrow, "has format 4, expected 3. Train again"),
    ],
)
def test_a_manifest_of_another_making_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=complaint):
        load_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b'{"format": 2, "files": 3}', b"\xff\xfe", b"{nope"])
def test_a_manifest_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"manifest of bundle .* can't be read"):
        load_bundle(folder)


@pytest.mark.parametrize("read_by", ["the classifier", "the purchase model", "eligibility"])
def test_a_feature_defined_otherwise_by_now_is_named(
    folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, read_by: str
) -> None:
    name = {
        "the classifier": bundle.leading.classifier.feature_names_[-1],
        "the purchase model": "monetary_value",
        "eligibility": "days_since_last_purchase",
    }[read_by]
    _exchange(monkeypatch, {**CATALOGUE, name: replace(CATALOGUE[name], revision=CATALOGUE[name].revision + 1)})
    with pytest.raises(BundleError, match=f"gone or defined otherwise by now: {name}. Train again"):
        load_bundle(folder)


def test_all_features_that_are_gone_are_named(folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = sorted(bundle.leading.classifier.feature_names_)[:2]
    _exchange(monkeypatch, {name: feature for name, feature in CATALOGUE.items() if name not in gone})
    with pytest.raises(BundleError, match=f"by now: {', '.join(gone)}"):
        load_bundle(folder)


def test_new_features_and_better_phrases_break_nothing(
    folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = bundle.leading.classifier.feature_names_[0]
    told = replace(CATALOGUE[used], clause="a better phrase with {value}", description="Better.")
    _exchange(monkeypatch, {**CATALOGUE, used: told, "new": replace(CATALOGUE["orders"], name="new")})
    assert load_bundle(folder).report == bundle.report


def _exchange(monkeypatch: pytest.MonkeyPatch, catalogue: dict[str, Feature]) -> None:
    monkeypatch.setattr(bundle_module, "find_feature", catalogue.get)


def test_a_save_that_is_interrupted_leaves_nothing(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def interrupted(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        save_bundle(bundle, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_training_again_mends_a_damaged_bundle(bundle: Bundle, folder: Path) -> None:
    (folder / "report.json").write_text("{}")
    (folder / "btyd.json").unlink()
    name, bundle_hash = save_bundle(bundle, folder.parent)
    assert name == folder.name
    assert load_bundle(folder, expected_hash=bundle_hash).report == bundle.report
    assert [path.name for path in folder.parent.iterdir()] == [name]


def test_no_file_of_a_bundle_names_a_customer(folder: Path) -> None:
    for path in folder.iterdir():
        content = path.read_text()
        assert not [customer for customer in shop_log().customer_ids if customer in content], path.name


def test_a_damaged_bundle_is_an_error_of_the_models() -> None:
    assert issubclass(BundleError, ModelError)
