"""The registry: versions, who is champion and challenger, promotion of what is no worse, and the way back."""

from __future__ import annotations

import pytest

from store.engine import Database
from store.exceptions import PromotionRefusedError, UnknownModelError
from store.registry import aliases, champions_before, find_version, list_versions, promote, rollback
from store.tables import ModelPromotion
from tests.store.builders import NOW, add_model

# Version 1, the champion, on the test snapshot of a challenger: version, log loss, AUC.
CHAMPION = (1, 0.5, 0.8)


def promoted(database: Database, version: int | None = None, *, force: bool = False) -> int:
    with database.write() as session:
        return promote(session, version, force=force, now=NOW).version


def rolled_back(database: Database) -> int:
    with database.write() as session:
        return rollback(session, now=NOW).version


def holders(database: Database) -> dict[str, int]:
    with database.read() as session:
        return aliases(session)


def test_versions_count_on_and_the_newest_is_challenger(database: Database) -> None:
    assert [add_model(database, bundle_hash=name) for name in "abc"] == [1, 2, 3]
    assert holders(database) == {"challenger": 3}
    with database.read() as session:
        assert [row.version for row in list_versions(session)] == [3, 2, 1]


def test_a_bundle_that_is_registered_already_keeps_its_version(database: Database) -> None:
    assert [add_model(database, bundle_hash=name) for name in "aba"] == [1, 2, 1]
    assert holders(database) == {"challenger": 1}


def test_the_champion_trained_once_more_stays_champion_only(database: Database) -> None:
    add_model(database, bundle_hash="a")
    promoted(database)
    assert add_model(database, bundle_hash="a", champion=CHAMPION) == 1
    assert holders(database) == {"champion": 1}
    with database.read() as session:
        assert find_version(session).test_metrics["champion"] is None


def test_promotion_takes_the_challenger_who_then_is_champion_only(database: Database) -> None:
    add_model(database, bundle_hash="a")
    assert promoted(database) == 1
    assert holders(database) == {"champion": 1}
    add_model(database, bundle_hash="b", champion=CHAMPION)
    add_model(database, bundle_hash="c", champion=CHAMPION)
    assert promoted(database) == 3
    assert holders(database) == {"champion": 3}


def test_promotion_of_another_than_the_challenger_leaves_the_challenger(database: Database) -> None:
    add_model(database, bundle_hash="a")
    promoted(database)
    add_model(database, bundle_hash="b", champion=CHAMPION)
    add_model(database, bundle_hash="c", champion=CHAMPION)
    assert promoted(database, 2) == 2
    assert holders(database) == {"champion": 2, "challenger": 3}


def test_promotion_of_the_champion_changes_nothing(database: Database) -> None:
    add_model(database, bundle_hash="a")
    promoted(database)
    assert promoted(database, 1) == 1
    with database.read() as session:
        assert session.query(ModelPromotion).count() == 1


def test_without_a_challenger_promotion_says_which_versions_there_are(database: Database) -> None:
    with pytest.raises(UnknownModelError, match=r"^There is no model 'challenger'\. Versions: none yet; run: regulars"):
        promoted(database)
    add_model(database, bundle_hash="a")
    promoted(database)
    with pytest.raises(UnknownModelError, match=r"^There is no model 'challenger'\. Versions: 1\.$"):
        promoted(database)


def test_a_challenger_within_the_tolerances_is_promoted(database: Database) -> None:
    add_model(database, bundle_hash="a")
    promoted(database)
    within = ((0.5009, 0.8), (0.5, 0.7971), (0.4, 0.9), (0.5009, 0.7971), (0.4, None), (None, None))
    for version, (log_loss, auc) in enumerate(within, start=2):
        add_model(database, bundle_hash=f"b{version}", log_loss=log_loss, auc=auc, champion=CHAMPION)
        assert promoted(database) == version
        assert rolled_back(database) == 1


@pytest.mark.parametrize(
    ("log_loss", "auc", "told"),
    [
        (0.5011, 0.8, "log loss 0.5011 against 0.5000, AUC 0.8000 against 0.8000."),
        (0.5, 0.7969, "log loss 0.5000 against 0.5000, AUC 0.7969 against 0.8000."),
        (0.1, 0.7, "log loss 0.1000 against 0.5000, AUC 0.7000 against 0.8000."),
        (0.6, None, "log loss 0.6000 against 0.5000, AUC undefined against 0.8000."),
    ],
)
def test_a_worse_one_is_refused_with_the_figures_and_can_be_forced(
    database: Database, log_loss: float, auc: float | None, told: str
) -> None:
    add_model(database, bundle_hash="a")
    promoted(database)
    add_model(database, bundle_hash="b", log_loss=log_loss, auc=auc, champion=CHAMPION)
    with pytest.raises(PromotionRefusedError, match=r"^Version 2 is worse than the champion, version 1, on") as raised:
        promoted(database)
    assert told in str(raised.value)
    assert "To promote it all the same: regulars models promote 2 --force" in str(raised.value)
    assert holders(database) == {"champion": 1, "challenger": 2}
    assert promoted(database, force=True) == 2
    assert holders(database) == {"champion": 2}


def test_where_one_class_only_was_tested_log_loss_decides(database: Database) -> None:
    add_model(database, bundle_hash="a")
    promoted(database)
    add_model(database, bundle_hash="b", log_loss=0.6, auc=None, champion=(1, 0.5, None))
    with pytest.raises(PromotionRefusedError, match="AUC undefined against undefined"):
        promoted(database)
    add_model(database, bundle_hash="c", log_loss=0.5, auc=None, champion=(1, 0.5, None))
    assert promoted(database) == 3


def test_one_that_was_compared_with_another_champion_is_refused_until_it_is_trained_again(database: Database) -> None:
    add_model(database, bundle_hash="a")
    promoted(database)
    add_model(database, bundle_hash="b", champion=CHAMPION)
    add_model(database, bundle_hash="c", champion=CHAMPION)
    promoted(database, 3)
    with pytest.raises(PromotionRefusedError, match=r"not compared with version 3, which is champion now.*Train again"):
        promoted(database, 2)
    # The same bundle comes out of it, this time beside the champion of today.
    assert add_model(database, bundle_hash="b", champion=(3, 0.5, 0.8)) == 2
    assert promoted(database, 2) == 2


def test_one_that_was_trained_before_there_was_a_champion_is_refused(database: Database) -> None:
    add_model(database, bundle_hash="a")
    add_model(database, bundle_hash="b")
    promoted(database, 1)
    with pytest.raises(PromotionRefusedError, match="Version 2 was not compared with version 1"):
        promoted(database)


def test_rollback_goes_back_a_champion_at_a_time_and_says_when_there_is_none_before(database: Database) -> None:
    for name in "abc":
        add_model(database, bundle_hash=name)
        promoted(database, force=True)
    assert holders(database) == {"champion": 3}
    assert rolled_back(database) == 2
    assert rolled_back(database) == 1
    with pytest.raises(UnknownModelError, match="There is no champion before this one to go back to"):
        rolled_back(database)
    assert holders(database) == {"champion": 1}


def test_after_a_rollback_and_a_new_promotion_rollback_goes_to_who_was_champion_then(database: Database) -> None:
    for name in "ab":
        add_model(database, bundle_hash=name)
        promoted(database, force=True)
    assert rolled_back(database) == 1
    add_model(database, bundle_hash="c", champion=CHAMPION)
    assert promoted(database) == 3
    assert promoted(database, 1, force=True) == 1
    assert [rolled_back(database), rolled_back(database)] == [3, 1]
    with pytest.raises(UnknownModelError, match="no champion before"):
        rolled_back(database)


def test_rollback_to_the_challenger_makes_it_champion_only(database: Database) -> None:
    for name in "ab":
        add_model(database, bundle_hash=name)
        promoted(database, force=True)
    add_model(database, bundle_hash="a", champion=(2, 0.5, 0.8))
    assert holders(database) == {"champion": 2, "challenger": 1}
    assert rolled_back(database) == 1
    assert holders(database) == {"champion": 1}


def test_without_a_champion_there_is_nothing_to_go_back_to(database: Database) -> None:
    with pytest.raises(UnknownModelError, match="There is no champion before this one to go back to"):
        rolled_back(database)


def test_a_version_is_found_by_alias_number_or_as_newest(database: Database) -> None:
    add_model(database, bundle_hash="a")
    promoted(database)
    add_model(database, bundle_hash="b")
    add_model(database, bundle_hash="c")
    with database.read() as session:
        found = {name: find_version(session, name).version for name in ("champion", "challenger", "newest", "2", "02")}
        assert find_version(session).version == 1
    assert found == {"champion": 1, "challenger": 3, "newest": 3, "2": 2, "02": 2}


def test_a_version_that_is_not_there_is_told_with_those_that_are(database: Database) -> None:
    add_model(database, bundle_hash="a")
    add_model(database, bundle_hash="b")
    with database.read() as session:
        for name in ("3", "0", "-1", "1.0", "best", "", "9" * 10, "9" * 5_000, "²", "١٢"):
            with pytest.raises(UnknownModelError, match=r"^There is no model '.*'\. Versions: 2, 1\.$"):
                find_version(session, name)


def test_champions_before_one_are_told_latest_first_and_each_once(database: Database) -> None:
    versions = [add_model(database, bundle_hash=letter * 64) for letter in "abc"]
    with database.write() as session:
        for version in (*versions, versions[0]):
            promote(session, version, force=True, now=NOW)
    with database.read() as session:
        assert champions_before(session, versions[2]) == [versions[1], versions[0]]
        assert champions_before(session, versions[0]) == [versions[2], versions[1]]
