"""`figureground audit` of thousands of PNG pairs with two workers against only decoding them with two workers; and its memory.

    python -m benchmarks.audit [--quick] [--rounds 3] [--fiftyone PYTHON]

Everything is measured as a user would meet it: whole commands in processes of their own, from start to exit, with their imports. The peer
that counts is OpenCV, decoding the same files in as many processes; Pillow, and the audit's own reader, stand beside it. Memory is the
kernel's high-water mark of every process, at a quarter, a half and all of the samples.
FiftyOne, which needs a database server, is measured where a Python that has it is named: by `--fiftyone` or FIGUREGROUND_FIFTYONE.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.pairs import CLASSES, first_pairs, write_pairs
from benchmarks.processes import Watched, watch
from benchmarks.results import Row, duration, of_ratio, tell, write_rows, write_skipped
from benchmarks.timing import Seconds, ratio

WORKERS, SAMPLES, WALL_TARGET, FLAT_TARGET = 2, 5_000, 1.4, 1.1
GB_IN_MIB = 1e9 / 2**20
READERS = {"figureground": "decoding alone, the audit's reader", "cv2": "decoding alone, OpenCV", "pillow": "decoding alone, Pillow"}


def main() -> None:
    """Measures and writes rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--fiftyone", default=os.environ.get("FIGUREGROUND_FIFTYONE", ""), help="a Python that has fiftyone")
    given = parser.parse_args()
    samples, rounds = (64, given.rounds or 1) if given.quick else (SAMPLES, given.rounds or 5)
    with tempfile.TemporaryDirectory(prefix="figureground-bench-") as name:
        folder = Path(name)
        words = write_pairs(folder / "all", samples)
        tell(f"audit: {samples:,} pairs ({words})")
        write_rows(speed(folder, samples, rounds=rounds, words=words))
        write_rows(memory(folder, [samples // 4, samples] if given.quick else [samples // 4, samples // 2, samples]))
        python = given.fiftyone or (sys.executable if importlib.util.find_spec("fiftyone") else "")
        if python:
            write_rows(fiftyone(folder, python, samples=min(samples, 20 if given.quick else 1_250)))
        else:
            write_skipped("audit against FiftyOne", "no Python with fiftyone was named (--fiftyone PYTHON)")


def audit_command(folder: Path, out: Path, *options: str, workers: int = WORKERS) -> list[str]:
    """The command line of one audit; what stood at `out` is removed."""
    shutil.rmtree(out, ignore_errors=True)
    where = [f"folders:{folder / 'masks'}?classes={CLASSES}", f"png:{folder / 'predictions'}", "--out", str(out)]
    return [sys.executable, "-m", "figureground", "audit", *where, "--workers", str(workers), "--json", *options]


def decode_command(folder: Path, reader: str) -> list[str]:
    """The command line of decoding alone."""
    where = [str(folder / "masks"), str(folder / "predictions")]
    return [sys.executable, "-m", "benchmarks.decode", *where, "--with", reader, "--workers", str(WORKERS)]


def speed(folder: Path, samples: int, *, rounds: int, words: str) -> list[Row]:
    """Wall clock of the audit, without and with its report, over that of decoding alone; all take turns."""
    whole, out = folder / "all", folder / "out"
    few = first_pairs(whole, folder / "few", min(samples, 64))
    for command in (audit_command(few, out), *(decode_command(few, reader) for reader in READERS)):
        watch(command)  # kernels are compiled and modules read once
    taken: dict[str, list[Watched]] = {name: [] for name in (*READERS, "audit", "report")}
    for number in range(rounds):
        tell(f"audit: round {number + 1} of {rounds}")
        for reader in READERS:
            taken[reader].append(watch(decode_command(whole, reader)))
        taken["audit"].append(watch(audit_command(whole, out, "--no-report")))
        taken["report"].append(watch(audit_command(whole, out)))
        check_samples(taken["audit"][-1].output, samples)
    numbers = {"pairs": words, "workers": WORKERS, "wall_s": _walls(taken), "cpu_s": _cpus(taken)}
    rows = []
    for name, words in (("audit", "audit without its report"), ("report", "audit with its report")):
        for reader, peer in READERS.items():
            ours, theirs = _seconds(taken[name]), _seconds(taken[reader])
            rows.append(
                Row(
                    benchmark="audit",
                    what=words,
                    on=f"{samples:,} PNG pairs, {WORKERS} workers",
                    peer=peer,
                    kind="times the peer",
                    target=WALL_TARGET if reader == "cv2" else None,
                    ours=duration(ours.median),
                    theirs=duration(theirs.median),
                    numbers=numbers if reader == "figureground" else {},
                    **of_ratio(ratio(ours, theirs)),
                )
            )
    return rows


def memory(folder: Path, counts: list[int]) -> list[Row]:
    """Peak memory at growing numbers of samples: of the main process, of the largest other, and of all at one moment."""
    seen: dict[int, dict[str, float]] = {}
    for count in counts:
        some = first_pairs(folder / "all", folder / f"first{count}", count)
        found = watch(audit_command(some, folder / "out"))
        if not found.peaks_mib:
            write_skipped("memory of the audit", "the system has no /proc to read it from")
            return []
        main_mib, *others = found.peaks_mib
        seen[count] = {"main process": main_mib, "largest worker": max(others, default=0.0), "all processes": found.together_mib}
    least, most = counts[0], counts[-1]
    numbers = {"peak_mib": {f"{n:,} samples": {name: round(mib, 1) for name, mib in found.items()} for n, found in seen.items()}}
    flat = [
        Row(
            benchmark="audit",
            what=f"peak memory, {name}",
            on=f"{most:,} samples, {WORKERS} workers, with report",
            peer=f"{least:,} samples",
            kind="times the peer",
            target=FLAT_TARGET if name == "all processes" else None,
            ratio=seen[most][name] / max(seen[least][name], 1e-9),
            ours=f"{seen[most][name]:.0f} MiB",
            theirs=f"{seen[least][name]:.0f} MiB",
            numbers=numbers if name == "all processes" else {},
        )
        for name in seen[most]
    ]
    together = seen[most]["all processes"]
    what, on = "peak memory, all processes together", f"{most:,} samples, {WORKERS} workers, with report"
    gb = Row(benchmark="audit", what=what, on=on, peer="1 GB", kind="times the peer", target=1.0, ratio=together / GB_IN_MIB)
    return [*flat, gb]


def fiftyone(folder: Path, python: str, *, samples: int) -> list[Row]:
    """FiftyOne's evaluation of the first samples, in a database of its own, against the whole audit of the same ones."""
    some = first_pairs(folder / "all", folder / "fiftyone", samples)
    script = Path(__file__).with_name("fiftyone_peer.py")
    quiet = {"HOME": str(folder / "home"), "FIFTYONE_DO_NOT_TRACK": "true", "FIFTYONE_SHOW_PROGRESS_BARS": "false"}
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")} | quiet
    (folder / "home").mkdir()
    command = [python, str(script), str(some / "masks"), str(some / "predictions"), "--classes", str(CLASSES)]
    try:
        found = json.loads(watch(command, env=env).output.splitlines()[-1])
    except SystemExit as error:
        write_skipped("audit against FiftyOne", str(error.code).splitlines()[-1])
        return []
    ours = [watch(audit_command(some, folder / "out")).wall_s for _ in range(3)]
    row = Row(
        benchmark="audit",
        what="audit with its report, a whole command",
        on=f"{samples:,} PNG pairs, {WORKERS} workers",
        peer="FiftyOne evaluate_segmentations, the call alone",
        kind="times as fast",
        ratio=found["evaluate_s"] / statistics.median(ours),
        best=found["evaluate_s"] / min(ours),
        ours=duration(statistics.median(ours)),
        theirs=duration(found["evaluate_s"]),
        numbers=found,
    )
    return [row]


def check_samples(output: str, samples: int) -> None:
    """The audit measured all samples, or its time means nothing."""
    found = json.loads(output)["samples"]
    if found != samples:
        raise SystemExit(f"the audit measured {found} samples of {samples}")


def _seconds(taken: list[Watched]) -> Seconds:
    return Seconds(wall=tuple(w.wall_s for w in taken), cpu=tuple(w.cpu_s for w in taken))


def _walls(taken: Mapping[str, list[Watched]]) -> dict[str, list[float]]:
    return {name: [round(w.wall_s, 3) for w in each] for name, each in taken.items()}


def _cpus(taken: Mapping[str, list[Watched]]) -> dict[str, list[float]]:
    return {name: [round(w.cpu_s, 2) for w in each] for name, each in taken.items()}


if __name__ == "__main__":
    main()
