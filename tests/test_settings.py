"""Settings: what a file states lies over the defaults, key by key; what is not known is an error that names it."""

import pytest

from pipeline.records import DEAL_TYPES
from pipeline.settings import DEFAULTS, SettingsError, load


def stated(tmp_path, toml):
    path = tmp_path / "mine.toml"
    path.write_text(toml, encoding="utf-8")
    return load(path)


def test_without_a_file_the_defaults_hold():
    assert load() == load(DEFAULTS)
    assert set(load().thresholds.deal) == set(DEAL_TYPES)


def test_keys_that_are_left_out_keep_their_defaults_at_every_depth(tmp_path):
    defaults = load()
    mine = stated(tmp_path, "[thresholds]\ncompany = 0.9\n[thresholds.deal]\nsupply = 0.7\n")
    assert mine.thresholds.company == 0.9
    assert mine.thresholds.party == defaults.thresholds.party
    assert mine.thresholds.deal == {**defaults.thresholds.deal, "supply": 0.7}
    mine = stated(tmp_path, '[reading.fields]\ntext = ["story"]\n')
    assert mine.reading.fields == {**defaults.reading.fields, "text": ("story",)}


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[runing]\nshard_size = 1\n", "unknown section runing; did you mean running?"),
        ("[running]\nshard_sice = 1\n", "unknown key running.shard_sice; did you mean shard_size?"),
        ("[thresholds.deal]\nlicencing = 0.4\n", "unknown key thresholds.deal.licencing; did you mean licensing?"),
        ("running = 3\n", r"\[running\] must be a table"),
        ("[thresholds]\ndeal = 0.5\n", r"\[thresholds.deal\] must be a table"),
        ('[running]\nshard_size = "many"\n', "running.shard_size must be a whole number, not 'many'"),
        ("[running]\nshard_size = true\n", "running.shard_size must be a whole number, not True"),
        ("[running]\nshard_size = 0\n", "running.shard_size must be 1 or more, not 0"),
        ("[thresholds]\ncompany = 7\n", "thresholds.company must lie between 0 and 1, not 7"),
        ("[thresholds.deal]\norder = -0.1\n", "thresholds.deal.order must lie between 0 and 1, not -0.1"),
        ("[running\n", "not valid TOML"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, toml, message):
    with pytest.raises(SettingsError, match=rf"mine\.toml: .*{message}"):
        stated(tmp_path, toml)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"absent\.toml: cannot be read"):
        load(tmp_path / "absent.toml")


def test_whole_numbers_are_fine_where_a_share_is_meant(tmp_path):
    assert stated(tmp_path, "[thresholds]\nparty = 1\n").thresholds.party == 1.0
