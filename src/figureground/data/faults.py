"""The faults of data and predictions: each has a code, and the readers raise what the doctor lists, in the same words."""

from __future__ import annotations

from types import MappingProxyType

from figureground.core.errors import Fault, FormatError

FAULT_CODES = MappingProxyType(
    {
        "missing-file": "a file or folder that is named does not exist",
        "unreadable-file": "the file system refuses the file",
        "empty-file": "a file of zero bytes",
        "truncated-file": "a file that ends early",
        "corrupt-file": "a file whose bytes contradict its format",
        "unsupported-mask": "a label map in a format or number type that cannot hold class ids exactly",
        "jpeg-mask": "a label map stored with lossy JPEG compression, whatever its name",
        "rgb-mask": "a colour label map without a declared colour table",
        "unknown-colour": "a pixel colour that no class has",
        "unknown-class-id": "a pixel value that is neither a class id nor the ignore value",
        "binary-mask": "a 0/255 figure mask declared as class ids",
        "ignore-in-prediction": "a prediction that answers with the ignore value instead of a class",
        "size-mismatch": "a label map of another size than its picture, its annotations or its prediction",
        "missing-mask": "a sample without a mask in a data set that has masks",
        "missing-prediction": "a sample without a prediction",
        "unknown-sample": "a prediction, score or attribute row for an id that the data set does not have",
        "duplicate-id": "one id that stands for two things",
        "unknown-label": "a declared class name that is not in the class table",
        "bad-table": "a CSV or Parquet table that does not have the rows and columns it should",
        "bad-toml": "a TOML file that cannot be parsed or holds a wrong key or value",
        "bad-json": "a JSON file that cannot be parsed or is not laid out as declared",
        "bad-annotation": "an annotation that cannot be drawn",
        "bad-encoding": "a text file, or the name of a file, that is not UTF-8",
        "unreadable-picture": "a picture that cannot be read",
        "bad-logits": "a network that gives numbers which are not finite",
        "bad-layout": "a folder that is not laid out as the declared kind of data set",
    }
)
"""Every fault code with its meaning, in the order of the docs."""


def make_fault(code: str, problem: str, remedy: str, *, file: str | None = None, sample: str | None = None) -> Fault:
    """A fault with a known code; a code that is not in `FAULT_CODES` is an error of ours and raises `KeyError`."""
    FAULT_CODES[code]
    return Fault(code=code, problem=_short(problem), remedy=_short(remedy), file=file, sample=sample)


def refusal(code: str, problem: str, remedy: str, *, file: str | None = None, sample: str | None = None) -> FormatError:
    """The error that carries such a fault, to be raised."""
    return FormatError(make_fault(code, problem, remedy, file=file, sample=sample))


def some(items: list[str] | tuple[str, ...], most: int = 3) -> str:
    """The first few of many names in quotes, for messages: `'a', 'b', 'c' and 4 more`."""
    shown = ", ".join(f"'{item}'" for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def quoted(error: Exception, most: int = 240) -> str:
    """What another library says of its error, for brackets in a problem: its first line without a final stop, cut between words."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
    return line if len(line) <= most else f"{line[:most].rpartition(' ')[0] or line[:most]} ..."


def _short(text: str, most: int = 400) -> str:
    """A text that quotes damaged content stays one a person can read."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


def size_mismatch(
    truth_hw: tuple[int, int], predicted_hw: tuple[int, int], *, sample: str, prediction: str, file: str | None = None
) -> Fault:
    """The fault of a prediction of another size than its mask; `file` is that of the prediction, where it has one."""
    return make_fault(
        "size-mismatch",
        f"the mask is {written_size(truth_hw)} and the prediction of '{prediction}' {written_size(predicted_hw)}",
        "Predict at the size of the picture, or choose `--resize nearest`",
        file=file,
        sample=sample,
    )


def written_size(size_hw: tuple[int, int]) -> str:
    """A size for messages: `480 px high and 640 px wide`."""
    return f"{size_hw[0]} px high and {size_hw[1]} px wide"
