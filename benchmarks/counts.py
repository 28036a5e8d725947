"""Joint counts of label maps, on runs and on dense arrays, against numpy, scikit-learn and torchmetrics, one core each.

What is timed is one call a pair on 48 pairs in turn, real ones and drawn ones of 3, 21 and 150 classes (on 6 of them where the peer
takes a hundred times as long).

    python -m benchmarks.counts [--quick]

Every side gets its input ready in the form it takes (runs, uint8 arrays, flat arrays, int64 tensors) and gives its own kind of table;
before anything is timed, the tables are compared number by number. Numpy's bincount is written in three ways and the fastest on each set
is the peer. torchmetrics' MeanIoU and numpy's two shorter forms know no void, so MeanIoU gets a truth whose void is background.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from benchmarks.maps import IGNORE, Pair, pairs_by_name
from benchmarks.results import Row, duration, of_ratio, tell, write_rows, write_skipped
from benchmarks.timing import Seconds, ratio, take_turns

from figureground.data.labelmap import encode_runs
from figureground.metrics.joint import joint_counts

NUMPY = "numpy bincount"
FEW = 6
LEARN = "scikit-learn confusion_matrix"
TORCH = "torchmetrics MeanIoU"
TARGETS = {("runs", NUMPY): 20.0, ("runs", TORCH): 100.0, ("runs", LEARN): 100.0, ("dense", NUMPY): 6.0}
WORDS = {"runs": "joint counts on runs", "dense": "joint counts, dense uint8", "encoded": "joint counts, both maps encoded first"}
Side = Callable[[], object]


def bincount_kept(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """The usual form: counted pixels picked out, one number per pair of classes."""
    kept = truth != IGNORE
    return np.bincount(classes * truth[kept].astype(np.intp) + predicted[kept], minlength=classes**2).reshape(classes, classes)


def bincount_wide(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Without picking: all 256 x 256 pairs counted, void cut off the table."""
    return np.bincount((truth.astype(np.intp) * 256 + predicted).reshape(-1), minlength=65_536).reshape(256, 256)[:classes, :classes]


def bincount_narrow(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """The same with keys of 16 bits, the fewest bytes numpy can do it with."""
    keys = truth.astype(np.uint16) << 8 | predicted
    return np.bincount(keys.reshape(-1), minlength=65_536).reshape(256, 256)[:classes, :classes]


SPELLINGS = {"kept": bincount_kept, "wide": bincount_wide, "narrow": bincount_narrow}


def main() -> None:
    """Measures all sets and writes rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    for name, (classes, pairs) in pairs_by_name(quick=quick).items():
        tell(f"counts: {name}, {len(pairs)} pairs")
        write_rows(measure(name, classes, pairs, rounds=3 if quick else 7, least_s=0.005 if quick else 0.05))


def measure(name: str, classes: int, pairs: Sequence[Pair], *, rounds: int, least_s: float) -> list[Row]:
    """The rows of one set of pairs; peers that take a hundred times as long share their turns with ours on a few of the pairs."""
    check_agreement(pairs, classes)
    seconds = take_turns({**own_sides(pairs, classes), **numpy_sides(pairs, classes)}, rounds=rounds, least_s=least_s)
    fastest = min((f"{NUMPY} ({s})" for s in SPELLINGS), key=lambda side: seconds[side].best)
    pixels = sum(pair.truth.size for pair in pairs)
    numbers = {
        "pairs": len(pairs),
        "pixels": pixels,
        "runs_truth": round(float(np.mean([p.runs[0].values.size for p in pairs])), 1),
        "runs_predicted": round(float(np.mean([p.runs[1].values.size for p in pairs])), 1),
        "gigapixels_per_second": {side: round(pixels / s.median / 1e9, 4) for side, s in seconds.items()},
    }
    rows = [_row(form, NUMPY, name, classes, seconds[form], seconds[fastest], len(pairs), numbers) for form in WORDS]
    few = pairs[:: max(1, len(pairs) // FEW)][: min(FEW, len(pairs) // 4)]
    peers = peer_sides(few, classes)
    seconds = take_turns({"runs": own_sides(few, classes)["runs"], **peers}, rounds=min(rounds, 5), least_s=least_s)
    return rows + [_row("runs", peer, name, classes, seconds["runs"], seconds[peer], len(few), {}) for peer in peers]


def own_sides(pairs: Sequence[Pair], classes: int) -> dict[str, Side]:
    """Ours: on runs, on dense arrays, and from dense arrays by way of runs."""
    runs, dense = [pair.runs for pair in pairs], [(pair.truth, pair.predicted) for pair in pairs]
    return {
        "runs": lambda: [joint_counts(t, p, classes=classes) for t, p in runs],
        "dense": lambda: [joint_counts(t, p, classes=classes) for t, p in dense],
        "encoded": lambda: [joint_counts(encode_runs(t), encode_runs(p), classes=classes) for t, p in dense],
    }


def numpy_sides(pairs: Sequence[Pair], classes: int) -> dict[str, Side]:
    """The three forms of bincount."""
    return {
        f"{NUMPY} ({name})": lambda count=count: [count(pair.truth, pair.predicted, classes) for pair in pairs]
        for name, count in SPELLINGS.items()
    }


def peer_sides(pairs: Sequence[Pair], classes: int) -> dict[str, Side]:
    """scikit-learn and torchmetrics, those that are installed."""
    sides: dict[str, Side] = {}
    try:
        from sklearn.metrics import confusion_matrix

        labels, flat = np.arange(classes), [(pair.truth.reshape(-1), pair.predicted.reshape(-1)) for pair in pairs]
        sides[LEARN] = lambda: [confusion_matrix(t, p, labels=labels) for t, p in flat]
    except ImportError:
        write_skipped("counts", "scikit-learn is not installed")
    try:
        import torch
        from torchmetrics.segmentation import MeanIoU
    except ImportError:
        write_skipped("counts", "torchmetrics is not installed")
        return sides
    torch.set_num_threads(1)
    tensors = [(_tensor(pair.predicted), _tensor(pair.without_void)) for pair in pairs]
    metric = MeanIoU(num_classes=classes, input_format="index")
    sides[TORCH] = lambda: [metric.update(p, t) for p, t in tensors]
    return sides


def check_agreement(pairs: Sequence[Pair], classes: int) -> None:
    """All ways to count give one table, or nothing is measured."""
    for pair in pairs:
        wanted = joint_counts(*pair.runs, classes=classes).matrix(range(classes))
        found = {"dense": joint_counts(pair.truth, pair.predicted, classes=classes).matrix(range(classes))}
        found |= {name: count(pair.truth, pair.predicted, classes) for name, count in SPELLINGS.items()}
        for name, table in found.items():
            if not np.array_equal(table, wanted):
                raise SystemExit(f"counts of the side `{name}` differ from those on runs")


def _tensor(array: np.ndarray) -> object:
    import torch

    return torch.from_numpy(array.astype(np.int64))[None]


def _row(form: str, peer: str, name: str, classes: int, ours: Seconds, theirs: Seconds, pairs: int, numbers: dict) -> Row:
    asked = classes == 21 or (form, peer) != ("runs", NUMPY)  # this one was asked for at 21 classes
    return Row(
        benchmark="counts",
        what=WORDS[form],
        on=name,
        peer=peer,
        kind="times as fast",
        target=TARGETS.get((form, peer)) if asked else None,
        ours=f"{duration(ours.median / pairs)} a pair",
        theirs=f"{duration(theirs.median / pairs)} a pair",
        numbers=numbers if form == "runs" else {},
        **of_ratio(ratio(theirs, ours)),
    )


if __name__ == "__main__":
    main()
