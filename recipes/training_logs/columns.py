"""Which column is which curve: one for each metric and split, or a refusal that names both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from recipes.training_logs.errors import LogError
from recipes.training_logs.names import SPLITS, Role, Split, words_of
from recipes.training_logs.table import Table
from recipes.words import listing

Key = tuple[str, str]

RARE = 0.5
"""Share of another column's values below which one is no curve beside it, but a summary at the
end (ours)."""

FEW = 2
"""Values up to which a column is as short as one that stands once (ours)."""


@dataclass
class Columns:
    """The chosen columns.

    Attributes:
        curves: Column by (metric, split), a value an evaluation.
        batches: Likewise, a value a batch or several an epoch.
        roles: Of the chosen ones, splits filled in.
    """

    curves: dict[Key, str] = field(default_factory=dict)
    batches: dict[Key, str] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def choose(table: Table, roles: Mapping[str, Role], dense: frozenset[str]) -> Columns:
    """Choose the columns of one run.

    Args:
        table: Of one run.
        roles: By column.
        dense: Columns with several values an evaluation.

    Raises:
        LogError: Two columns could be the same curve.
    """
    chosen = Columns()
    metrics = {
        name: roles[name]
        for name, cells in table.columns.items()
        if roles[name].what == "metric" and any(value is not None for value in cells)
    }
    _refuse_bare_splits(table, metrics)
    _leave_out_last_words(table, metrics, dense, chosen.notes)
    _leave_out_open(metrics, dense, chosen.notes)
    split_of = _splits(metrics, dense, chosen.notes)
    has_val = any(split_of[name] == "val" for name in metrics)
    has_test = any(split_of[name] == "test" for name in metrics)
    for name in metrics:
        if split_of[name] == "test" and not has_val:
            split_of[name] = "val"
    if has_test and not has_val:
        chosen.notes.append(
            "there are test curves and no validation curves: they are read as validation"
        )
    elif has_test:
        chosen.notes.append("test curves are left alone: validation decides")
    candidates: dict[tuple[Key, bool], list[str]] = {}
    for name, role in metrics.items():
        split = split_of[name]
        if split == "test":
            continue
        chosen.roles[name] = replace(role, split=split)
        is_batch = name in dense or (role.per_iteration and _has_whole(name, metrics, split_of))
        candidates.setdefault(((role.metric, split), is_batch), []).append(name)
    for (key, is_batch), names in candidates.items():
        (chosen.batches if is_batch else chosen.curves)[key] = _one(
            table, names, roles, key, chosen
        )
    return chosen


def _has_whole(name: str, metrics: Mapping[str, Role], split_of: Mapping[str, Split]) -> bool:
    """Whether another column has the same curve by epoch."""
    own = metrics[name]
    return any(
        other != name
        and not role.per_iteration
        and role.metric == own.metric
        and split_of[other] == split_of[name]
        for other, role in metrics.items()
    )


def _one(
    table: Table, names: list[str], roles: Mapping[str, Role], key: Key, chosen: Columns
) -> str:
    """The one of several candidates: the only one whose name is understood to the last word."""
    counts = {name: sum(v is not None for v in table.columns[name]) for name in names}
    rare = [name for name in names if counts[name] < RARE * max(counts.values())]
    if rare:
        chosen.notes.append(f"{listing(rare)} has hardly any value and was left alone")
        names = [name for name in names if name not in rare]
    clean = [name for name in names if roles[name].is_clean]
    left = clean or names
    explicit = [name for name in left if roles[name].split]
    if len(left) > 1 and len(explicit) == 1:
        same = [n for n in left if n not in explicit]
        if all(table.columns[n] == table.columns[explicit[0]] for n in same):
            left = explicit
    if len(left) > 1 and all(table.columns[n] == table.columns[left[0]] for n in left):
        left = left[:1]
    if len(left) > 1:
        what = f"{key[1] or 'the'} {key[0]}"
        raise LogError(
            f"{listing(left, most=6)} could each be {what}; say which with --map "
            f"{left[0]}={'_'.join(filter(None, (key[1], key[0])))} and --map {left[1]}=ignore"
        )
    others = [name for name in names if name not in left]
    if others:
        chosen.notes.append(f"{listing(others)} left alone beside {left[0]}")
    if not clean:
        chosen.notes.append(f"{left[0]} is taken for the {key[1]} {key[0]}")
    return left[0]


def _refuse_bare_splits(table: Table, metrics: Mapping[str, Role]) -> None:
    """Refuse columns called after a split and nothing else beside a metric that names none:
    of which split that metric is, the table does not tell."""
    bare = [
        name
        for name in table.columns
        if name not in metrics and (words := words_of(name)) and SPLITS.keys() >= set(words)
    ]
    open_ones = [name for name, role in metrics.items() if not role.split]
    if len(bare) > 1 and open_ones and len(open_ones) == len(metrics):
        raise LogError(
            f"{listing(bare)} say of which samples they are and not what, and {open_ones[0]} what "
            f"it is and not of which samples; say it with --map {bare[0]}=train_loss and so on, "
            f"and --map {open_ones[0]}=val_accuracy"
        )


def _leave_out_last_words(
    table: Table, metrics: dict[str, Role], dense: frozenset[str], notes: list[str]
) -> None:
    """Take out test results that stand once beside curves: the last words of a run."""
    counts = {name: sum(v is not None for v in table.columns[name]) for name in metrics}
    most = max((num for name, num in counts.items() if name not in dense), default=0)
    for name, num in counts.items():
        if metrics[name].split == "test" and num == 1 and most > FEW:
            del metrics[name]
            notes.append(f"{name} stands once and was left alone")


def _leave_out_open(metrics: dict[str, Role], dense: frozenset[str], notes: list[str]) -> None:
    """Take out metrics other than losses of which nothing says on which samples they are.

    A bare accuracy beside a bare loss is a training metric in some trainers (Keras without
    validation) and a validation one in others (DGL's examples): neither guess is safe.

    Raises:
        LogError: There is nothing else.
    """
    named = {role.split for role in metrics.values() if role.split}
    if "train" in named and len(named) > 1:
        return
    told = {role.metric for role in metrics.values() if role.split}
    left = [
        name
        for name, role in metrics.items()
        if not role.split
        and role.metric not in ("loss", *told)
        and name not in dense
        and not role.per_iteration
    ]
    if not left:
        return
    cure = f"--map {left[0]}=val_{metrics[left[0]].metric}"
    if len(left) == len(metrics):
        raise LogError(f"{left[0]} does not say of which samples it is; say it with {cure}")
    for name in left:
        del metrics[name]
    notes.append(
        f"{listing(left)} left out: nothing says of which samples; say it with {cure}, "
        f"or train_{cure.rpartition('=val_')[2]}"
    )


def _splits(
    metrics: Mapping[str, Role], dense: frozenset[str], notes: list[str]
) -> dict[str, Split]:
    """The split of each column; where the name does not tell, its companions do."""
    told = {(role.metric, role.split) for role in metrics.values() if role.split}
    names_val = any(split in ("val", "test") for _, split in told)
    names_train = any(split == "train" for _, split in told)
    splits: dict[str, Split] = {}
    for name, role in metrics.items():
        if role.split:
            splits[name] = role.split
            continue
        has_val = (role.metric, "val") in told or (role.metric, "test") in told
        has_train = (role.metric, "train") in told
        guess: Split
        if has_val:
            guess = "train"  # Keras: loss beside val_loss
        elif has_train:
            guess = "train" if role.metric == "loss" else "val"
        elif names_val and names_train and name not in dense:
            guess = "val"  # fastai: accuracy beside train_loss and valid_loss
        else:
            guess = "train"
        splits[name] = guess
        if has_val or (has_train and role.metric == "loss"):
            continue
        samples = "training" if guess == "train" else "validation"
        notes.append(f"{name} names no split and is taken to be of {samples} samples")
    return splits
