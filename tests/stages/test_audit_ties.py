"""An audit where training ties each class to several contexts: what is common, the gaps, and what the report says of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from figureground import AuditOptions, audit
from figureground.core.errors import InputError
from figureground.data.dataset import dataset_from_arrays

OWN = {"cat": ("barn", "yard"), "dog": ("lane", "shop")}
PLACES = ("barn", "lane", "shop", "yard")
WRONG = {("cat", "lane"): 24, ("cat", "shop"): 60, ("dog", "barn"): 90, ("cat", "yard"): 6, ("dog", "lane"): 3}
"""Flipped pixels of the hundred of each figure."""
TIES = ("cat=barn", "cat=yard", "dog=lane", "dog=shop")


def made():
    """Two classes in four contexts, two samples of each group, a hundred pixels of figure."""
    masks, predictions, attributes = {}, {}, {}
    for place, name in enumerate(OWN, start=1):
        for context in PLACES:
            for number in range(2):
                sample = f"{name}-{context}-{number}"
                masks[sample] = np.zeros((12, 12), np.uint8)
                masks[sample][1:11, 1:11] = place
                predictions[sample] = masks[sample].copy()
                figure = predictions[sample][1:11, 1:11].reshape(-1)
                figure[: WRONG.get((name, context), 0)] = 3 - place
                predictions[sample][1:11, 1:11] = figure.reshape(10, 10)
                attributes[sample] = {"label": name, "context": context}
    dataset = dataset_from_arrays(masks, classes=("background", *OWN), attributes=attributes)
    return dataset, predictions


def iou(name, context):
    """Of the group's own class, by hand: nothing else is called so there, so the union is the figure."""
    return 1 - WRONG.get((name, context), 0) / 100


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    dataset, predictions = made()
    options = AuditOptions(resamples=50, common=TIES)
    return audit(dataset, predictions, options=options, out=tmp_path_factory.mktemp("ties") / "audit")


def test_a_group_in_any_own_context_is_common(found):
    kinds = {(g["attributes"]["class"], g["attributes"]["context"]): g["kind"] for g in found.summary["groups"] if len(g["by"]) == 2}
    assert kinds == {(name, c): "common" if c in own else "counterfactual" for name, own in OWN.items() for c in PLACES}
    assert {(row["group"], row["kind"]) for row in found.by("class", "context").to_pylist()} == {
        (f"{name} x {context}", kind) for (name, context), kind in kinds.items()
    }
    assert found.summary["common"] == {name: list(own) for name, own in OWN.items()}


def test_gaps_are_those_worked_out_by_hand(found):
    """Mean over own contexts minus mean over others, class by class; flips pooled over all common and all counterfactual groups."""
    gaps = {gap["class"]: gap for gap in found.summary["gaps"]["iou"]}
    for name, own in OWN.items():
        others = [context for context in PLACES if context not in own]
        assert gaps[name]["value"] == pytest.approx(np.mean([iou(name, c) for c in own]) - np.mean([iou(name, c) for c in others]))
        assert gaps[name]["common"] == [{"class": name, "context": c} for c in own]
        assert gaps[name]["counterfactual"] == [{"class": name, "context": c} for c in others]
    assert found.summary["gaps"]["flip"]["value"] == pytest.approx((24 + 60 + 90) / 400 - (6 + 3) / 400)


def test_the_report_names_every_own_context(found, tmp_path):
    page = found.report(tmp_path / "report.html").read_text()
    assert "barn and yard" in page
    assert "lane and shop" in page
    assert "in its common context, or the mean of several, minus the mean of its other contexts" in page


def test_the_data_set_may_say_it():
    """What it declares gives the same numbers as the option; one context of a class is a text in the summary, as ever."""
    dataset, predictions = made()
    said = audit(dataclasses.replace(dataset, common=OWN), predictions, options=AuditOptions(resamples=50))
    told = audit(dataset, predictions, options=AuditOptions(resamples=50, common=TIES))
    assert said.summary["gaps"] == told.summary["gaps"]
    single = audit(dataset, predictions, options=AuditOptions(resamples=50, common=("cat=barn", *TIES[2:])))
    assert single.summary["common"] == {"cat": "barn", "dog": ["lane", "shop"]}
    gap = next(gap for gap in single.summary["gaps"]["iou"] if gap["class"] == "cat")
    assert gap["common"] == {"class": "cat", "context": "barn"}
    assert gap["value"] == pytest.approx(1 - np.mean([iou("cat", c) for c in ("lane", "shop", "yard")]))


def test_a_tie_said_twice_is_refused():
    dataset, predictions = made()
    with pytest.raises(InputError, match="`common` ties 'cat' to 'barn' twice"):
        audit(dataset, predictions, options=AuditOptions(common=("cat=barn", "cat=barn")))
