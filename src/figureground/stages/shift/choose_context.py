"""Where the context of a sample comes from: a column, areas of stuff and things, or clusters of grounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from figureground.core.errors import InputError
from figureground.data.dataset import Dataset
from figureground.data.spec import nearest
from figureground.runs.executor import Executor
from figureground.runs.progress import Reporter
from figureground.stages.shift.measure import grounds_of

AREA_RULE, FOUND = "area-rule", "found:"
AREA_ATTRIBUTE, FOUND_ATTRIBUTE = "area_context", "found_context"
_OWN = ("class", "label", "split")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextChoice:
    """A data set with a context, and what is known of how it came about."""

    dataset: Dataset
    """Its `context_attribute` is set; samples without a context have the empty text there."""
    details: Mapping[str, str | float]
    """`how`, and for found contexts their `stability`."""


def with_context(
    dataset: Dataset, how: str, *, stuff: Sequence[str] = (), seed: int = 0, executor: Executor, reporter: Reporter
) -> ContextChoice:
    """The data set with the context that was asked for.

    Args:
        dataset: any; samples without a label are in no cluster of `found:K`, and so have no context there.
        how: empty for the data set's own context, `area-rule`, `found:K`, or an attribute.
        stuff: COCO-Stuff or panoptic files, for the area rule.
        seed: of the clusters.
        executor: where pictures are looked at.
        reporter: where progress and a low stability are told.

    Raises:
        InputError: there is no such context; the message names the ways to one.
    """
    if stuff and how != AREA_RULE:
        raise InputError("--stuff is read with --context area-rule only. Say --context area-rule, or leave it out")
    if how == AREA_RULE:
        return ContextChoice(dataset=_by_areas(dataset, stuff), details={"how": AREA_RULE})
    if how.startswith(FOUND):
        return _by_clusters(dataset, _cluster_count(how), seed=seed, executor=executor, reporter=reporter)
    return ContextChoice(dataset=_by_column(dataset, how), details={"how": "attribute"})


def own_context(dataset: Dataset, attribute: str) -> Dataset:
    """The data set with a column as its context, its own where none is named; raises `InputError` where there is none."""
    return _by_column(dataset, attribute)


def _by_column(dataset: Dataset, attribute: str) -> Dataset:
    name = (dataset.context_attribute or "context") if attribute in ("", "context") else attribute
    columns = {n for s in dataset.samples for n in s.attributes}
    filled = {n for s in dataset.samples for n, value in s.attributes.items() if value}
    if name in columns and any(s.attributes.get(name) for s in dataset.samples):
        return replace(dataset, context_attribute=name)
    if name in _OWN:
        raise InputError(f"--context {name}: `{name}` is no column that can be a context. {_ways(filled)}")
    what = f"has no value in its column `{name}`" if name in columns else "has no context column"
    if attribute and name not in columns:
        what = f"has no column `{name}`.{nearest(name, columns)}".rstrip()
    raise InputError(f"{dataset.name} {what}{'' if what.endswith(('.', '?')) else '.'} {_ways(filled)}")


def _ways(columns: set[str]) -> str:
    known = f" (columns: {', '.join(sorted(columns))})" if columns else ""
    return (
        f"Name a column with --context ATTRIBUTE{known} or bring one with ?attributes=TABLE; in `shift split` also --context area-rule "
        "--stuff STUFF.json for COCO images, or --context found:2 for clusters of grounds"
    )


def _by_areas(dataset: Dataset, stuff: Sequence[str]) -> Dataset:
    from figureground.stages.shift.coco_context import contexts_of

    figures = {s.label for s in dataset.samples if s.label}
    return _with_column(dataset, AREA_ATTRIBUTE, contexts_of(dataset, stuff, figures=figures))


def _cluster_count(how: str) -> int:
    text = how.removeprefix(FOUND)
    if not (text.isascii() and text.isdigit() and 2 <= int(text[:6]) <= 1000):
        raise InputError(f"--context found:K needs a number of clusters from 2 to 1000; got '{how}'. Write found:2")
    return int(text)


def _by_clusters(dataset: Dataset, clusters: int, *, seed: int, executor: Executor, reporter: Reporter) -> ContextChoice:
    from figureground.stages.shift.context import LOW_STABILITY, found_contexts

    chosen = replace(dataset, samples=tuple(sorted((s for s in dataset.samples if s.label), key=lambda s: s.id)))
    if not chosen.samples:
        raise InputError(f"{dataset.name}: no sample has a label, so there is nothing to split. Name the class of each sample in a column")
    found = found_contexts(grounds_of(chosen, executor=executor, reporter=reporter), clusters=clusters, seed=seed)
    sizes = ", ".join(f"{name} {n}" for name, n in found.sizes.items())
    reporter.say(
        f"found contexts: {sizes}; stability {found.stability:.2f} (mean adjusted Rand index of 20 bootstrap clusterings, at most 1)"
    )
    if found.shaky:
        reporter.say(
            f"warning: other samples would give other clusters: a stability of {found.stability:.2f} is below {LOW_STABILITY}. "
            "Look at pictures of each cluster before you trust them, or try another number of clusters"
        )
    values = dict(zip(chosen.ids, found.names, strict=True))
    return ContextChoice(
        dataset=_with_column(dataset, FOUND_ATTRIBUTE, values), details={"how": f"{FOUND}{clusters}", "stability": found.stability}
    )


def _with_column(dataset: Dataset, name: str, values: Mapping[str, str]) -> Dataset:
    samples = tuple(replace(s, attributes={**s.attributes, name: values.get(s.id, "")}) for s in dataset.samples)
    return replace(dataset, samples=samples, context_attribute=name)
