import pytest

from recipes import Categorical, Float, Int
from recipes.errors import InvalidSetting
from recipes.study import StudyConfig
from recipes.study_space import parse_setting, study_space
from tests.recipes_tests.builders import SPACE, description


def config(**fields):
    return StudyConfig.model_validate({"name": "a study", "task": "digits", **fields})


def test_a_study_without_settings_has_the_tasks_own_space():
    assert study_space(description(), config()) == SPACE


def test_ranges_replace_the_tasks_own_and_fixed_names_leave_the_space():
    space = study_space(
        description(),
        config(
            space={"lr": Float(1e-3, 1e-1, log=True), "momentum": Float(0.5, 0.99)},
            set={"hidden": 64},
        ),
    )

    assert list(space) == ["lr", "weight_decay", "momentum"]
    assert space["lr"] == Float(1e-3, 1e-1, log=True)


def test_a_misspelt_name_is_met_with_the_right_one():
    with pytest.raises(InvalidSetting, match="did you mean 'hidden'"):
        study_space(description(), config(set={"hiden": 1}))
    with pytest.raises(InvalidSetting, match="own names are lr, weight_decay, hidden"):
        study_space(description(), config(space={"zzz": Int(1, 2)}))


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("lr", 0, "finite number above 0"),
        ("lr", -1.0, "finite number above 0"),
        ("lr", "fast", "give a number"),
        ("hidden", True, "give a number"),
        ("hidden", 32.5, "whole number"),
        ("hidden", 10**400, "at most"),
        ("batch_size", 0, "whole number of 1 or more"),
        ("optimizer", "magic", "choose one of sgd"),
        ("momentum", 2, "below 1"),
    ],
    ids=str,
)
def test_values_that_do_not_fit(name, value, cure):
    with pytest.raises(InvalidSetting, match=cure):
        study_space(description(), config(set={name: value}))


def test_a_hard_range_and_choices_bind_fixed_values():
    task = description(
        space={
            "lr": {"kind": "float", "low": 1e-3, "high": 1e-1, "hard": True},
            "act": {"kind": "categorical", "choices": ["relu", "tanh"]},
        }
    )

    with pytest.raises(InvalidSetting, match="is hard"):
        study_space(task, config(set={"lr": 1.0}))
    with pytest.raises(InvalidSetting, match="'relu', 'tanh'"):
        study_space(task, config(set={"act": "gelu"}))
    assert list(study_space(task, config(set={"lr": 1e-2, "act": "tanh"}))) == []


def test_a_study_narrows_a_hard_range_and_leaves_it_hard():
    hard = {"kind": "float", "low": 1e-3, "high": 1e-1, "log": True, "hard": True}
    task = description(space={"lr": hard, "width": {"kind": "int", "low": 1, "high": 9}})

    space = study_space(
        task, config(space={"lr": Float(1e-2, 5e-2, log=True), "width": Int(2, 4)})
    )

    assert space["lr"] == Float(1e-2, 5e-2, log=True, hard=True)
    assert space["width"] == Int(2, 4)


def test_a_grid_needs_a_trial_for_every_combination_of_choices():
    choices = {"act": Categorical(["relu", "tanh"]), "optimizer": Categorical(["sgd", "adam"])}
    task = description(space={**SPACE.root, **choices})

    def search(count):
        return config(search={"coarse_proposals": "grid", "coarse_trials": count})

    with pytest.raises(InvalidSetting, match=r"search.coarse_trials: 3 .* takes 4 trials"):
        study_space(task, search(3))
    assert list(study_space(task, search(4))) == [*SPACE, "act", "optimizer"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lr=0.1", 0.1),
        ("hidden=64", 64),
        ("lr=1e-4..1e-1", Float(1e-4, 1e-1, log=True)),
        ("weight_decay=1e-5..1e-3", Float(1e-5, 1e-3, log=True, zero=True)),
        ("hidden=16..32", Int(16, 32, log=True)),
        ("hidden=1e1..1e2", Int(10, 100, log=True)),
        ("momentum=0.5..0.9", Float(0.5, 0.9)),
        ("optimizer=adamw", "adamw"),
        ("nesterov=true", True),
    ],
    ids=str,
)
def test_settings_as_typed(text, value):
    assert parse_setting(text, description()) == value


def test_a_choice_is_read_as_its_own_type():
    task = description(space={"depth": {"kind": "categorical", "choices": ["2", 3]}})

    assert parse_setting("depth=2", task) == "2"
    assert parse_setting("depth=3", task) == 3
    assert parse_setting("depth=4", task) == 4  # refused later, by study_space
    assert task.space["depth"] == Categorical(["2", 3])


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("lr", "write name=value"),
        ("=1", "write name=value"),
        ("lr=", "write name=value"),
        ("lr=a..b", "must be numbers"),
        ("lr=1..0.1", "must be below"),
        ("lr=0..1", "log range cannot start at 0"),
        ("lr=nan..1", "finite number"),
        ("lr=1..inf", "at most"),
        ("hidden=32..inf", "at most"),
        ("hidden=32..nan", "whole number"),
        ("hidden=32.5..64", "whole number"),
    ],
    ids=str,
)
def test_settings_that_do_not_parse(text, cure):
    with pytest.raises(InvalidSetting, match=cure):
        parse_setting(text, description())
