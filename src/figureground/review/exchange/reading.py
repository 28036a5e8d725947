"""What every reader needs: names to class ids, pictures to samples, an empty label map to paint on, and faults that say where."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from figureground.core.errors import FormatError, InputError
from figureground.core.progress import Reporter
from figureground.core.types import ClassTable
from figureground.data import paths
from figureground.data.faults import refusal, some
from figureground.data.labelmap import encode_runs
from figureground.data.pictures import check_picture_size
from figureground.data.spec import chosen, nearest
from figureground.review.exchange.masks import MOST_PIXELS, LabelledMask, names_of, rename_table
from figureground.review.exchange.pictures import KnownPictures, name_to_id

COMMON_OPTIONS = ("rename", "unknown", "empty")
"""Options that the readers of COCO, Label Studio and CVAT share."""


@dataclass(slots=True, kw_only=True)
class Reading:
    """One file being read."""

    file: str
    classes: ClassTable
    known: KnownPictures | None
    """The samples that labels may be for; None takes any picture."""
    options: Mapping[str, str]
    reporter: Reporter
    passed_over: Counter[str] = field(default_factory=Counter[str])
    """What was left out, by its word."""
    _values: dict[str, int] = field(init=False)
    _taken: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self._values = {name: value for value, name in names_of(self.classes).items()}
        renamed = rename_table(self.options)
        for ours in renamed.values():
            if ours not in self._values:
                raise InputError(f"`rename` leads to '{ours}', which is no class.{nearest(ours, self._values)}")
        self._values |= {theirs: self._values[ours] for theirs, ours in renamed.items()}
        chosen(self.options, "unknown", ("refuse", "skip"), default="refuse")
        chosen(self.options, "empty", ("background", "skip"), default="background")

    def bad(self, problem: str, *, sample: str | None = None, remedy: str = "Correct it, or export the file again") -> FormatError:
        """The refusal of an annotation."""
        return refusal("bad-annotation", problem, remedy, file=self.file, sample=sample)

    def value_of(self, label: object, *, sample: str, what: str) -> int:
        """The value that pixels of a label get; a name that is no class raises `FormatError`."""
        if not isinstance(label, str) or label not in self._values:
            raise refusal(
                "unknown-label",
                f"{what}: the label {str(label)[:60]!r} is not one of the {len(self.classes)} class names",
                f"Correct it, add the class, or say ?rename=THEIRS:OURS.{nearest(str(label), self._values)}",
                file=self.file,
                sample=sample,
            )
        return self._values[label]

    def sample_of(self, names: Iterable[str], *, what: str, exact: str = "") -> str | None:
        """The sample that the first fitting name stands for; None where it is to be passed over.

        Args:
            names: what the picture may go by, the surest first.
            what: the picture, for messages.
            exact: the id, where the file says it.

        Raises:
            FormatError: no name fits, or two pictures of the file are one sample.
        """
        if paths.printable(exact) != exact:
            raise refusal("bad-encoding", f"{what}: the sample's id is no Unicode text", "Give it another", file=self.file)
        tried = list(names)
        found = exact if exact and (self.known is None or exact in self.known.images) else self._find(tried, what)
        if found is None:
            if self.known is not None and self.options.get("unknown") == "skip":
                self.passed_over["pictures that are no sample"] += 1
                return None
            hint = self.known.hint(tried[0]) if self.known and tried else ""
            raise refusal(
                "unknown-sample",
                f"{what}: the picture '{tried[0] if tried else ''}' is no sample of the data set",
                f"Name the data that was labelled, or say ?unknown=skip.{hint}",
                file=self.file,
            )
        if found in self._taken:
            raise refusal(
                "duplicate-id",
                f"{what} and {self._taken[found]} are for one picture",
                "Keep one of them",
                file=self.file,
                sample=found,
            )
        self._taken[found] = what
        return found

    def _find(self, names: list[str], what: str) -> str | None:
        try:
            for name in names:
                if paths.printable(name) != name:
                    raise InputError(f"'{paths.printable(name)}' is no Unicode text. Give the picture another name")
                if (found := self.known.find(name) if self.known else name_to_id(name)) is not None:
                    return found or None
        except InputError as error:
            raise refusal(
                "unknown-sample", f"{what}: {str(error).partition('. ')[0]}", str(error).partition(". ")[2], file=self.file
            ) from error
        return None

    def blank(self, height: object, width: object, *, what: str, sample: str) -> np.ndarray:
        """A label map of background, [height, width] in the dtype of the classes; a size that no picture has raises `FormatError`."""
        return np.full(self.size(height, width, what=what, sample=sample), self.classes.background, self.classes.dtype)

    def size(self, height: object, width: object, *, what: str, sample: str | None) -> tuple[int, int]:
        """Height and width, checked; what is no size of a picture raises `FormatError`."""
        if not isinstance(height, int) or not isinstance(width, int) or min(height, width) < 1:
            given = f"{str(height)[:20]!r} and {str(width)[:20]!r}"
            raise self.bad(f"{what}: height and width must be whole numbers of pixels; got {given}", sample=sample)
        if height * width > MOST_PIXELS:
            raise self.bad(f"{what}: the picture is said to have {height} x {width} pixels", sample=sample)
        return height, width

    def skips_empty(self) -> bool:
        """True where a picture without any annotation is to be left out; counts it either way."""
        skip = self.options.get("empty") == "skip"
        self.passed_over["pictures without annotations" if skip else EMPTY] += 1
        return skip

    def has_no_area(self) -> None:
        """Counts a picture that somebody annotated, though with nothing that has an area: it is left out, not taken for background."""
        self.passed_over[NO_AREA] += 1

    def mask(self, sample: str, label_map: np.ndarray, *, name: str | None = None, by: str = "", created: str = "") -> LabelledMask:
        """The finished mask; another size than the sample's local picture raises `FormatError`."""
        image = self.known.images.get(sample) if self.known else name
        if self.known and image and not paths.is_url(image):
            check_picture_size(image, (label_map.shape[0], label_map.shape[1]), sample=sample, file=self.file)
        return LabelledMask(id=sample, image=image, runs=encode_runs(label_map), by=by, created=created)

    def tell(self) -> None:
        """Says what was passed over, and which pictures had no annotation."""
        if taken := self.passed_over.pop(EMPTY, 0):
            self.reporter.say(f"note: {EMPTY}: {taken}; ?empty=skip leaves them out")
        if self.passed_over:
            self.reporter.say(f"note: passed over: {', '.join(f'{what}: {n}' for what, n in sorted(self.passed_over.items()))}")

    @contextmanager
    def at(self, what: str) -> Iterator[None]:
        """Within it a fault of this file names the annotation too."""
        try:
            yield
        except FormatError as error:
            fault = error.fault
            raise refusal(fault.code, f"{what}: {fault.problem}", fault.remedy, file=fault.file, sample=fault.sample) from error


EMPTY = "pictures without annotations are taken for background all over"
NO_AREA = "pictures whose annotations all have no area (boxes without outline, points, lines, tags)"


def read_json(file: str) -> Any:
    """The content of a JSON file; one that cannot be parsed raises `FormatError`."""
    try:
        return json.loads(paths.read_text(file))
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise refusal("bad-json", f"the file is no valid JSON ({str(error)[:80]})", "Export it again", file=file) from error


def to_json_bytes(content: Any, *, where: str) -> bytes:
    """A document as one line of UTF-8 JSON; text that is no Unicode raises `InputError`."""
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: {some([ascii(error.object[error.start : error.end])])} is no Unicode text. Rename what bears it"
        ) from error
