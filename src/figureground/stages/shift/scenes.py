"""Samples that belong together: those that share a scene, a video or a patient, directly or through others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def joined_scenes(ids: Sequence[str], attributes: Sequence[Sequence[str]]) -> list[str]:
    """The scene of each sample: samples with the same value of any attribute are of one scene, and so are those joined through others.

    Args:
        ids: unique ids of the samples.
        attributes: for each attribute the value of every sample; an empty value joins nobody.

    Returns:
        For each sample the smallest id of its scene, so its own id where it is alone; the order of the samples changes nothing.

    Example:
        >>> joined_scenes(["a", "b", "c"], [["x", "", "x"]])
        ['a', 'b', 'a']
    """
    rows, columns, nodes = [], [], len(ids)
    for values in attributes:
        numbers: dict[str, int] = {}
        for place, value in enumerate(values):
            if value:
                if value not in numbers:
                    numbers[value] = nodes + len(numbers)
                rows.append(place)
                columns.append(numbers[value])
        nodes += len(numbers)
    if not rows:
        return list(ids)
    links = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(nodes, nodes))
    component = connected_components(links, directed=False)[1][: len(ids)].tolist()
    names: dict[int, str] = {}
    for sample_id, number in zip(ids, component, strict=True):
        names[number] = min(sample_id, names.get(number, sample_id))
    return [names[number] for number in component]
