"""The samples of a split as training reads them: pictures and masks at the network's size, and the group of each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelSource
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal, some, written_size
from figureground.data.grids import to_pixels
from figureground.data.labelmap import encode_runs, resize_nearest
from figureground.data.pixels import read_picture
from figureground.metrics.groups import group_index
from figureground.models.fit.batch import IGNORE
from figureground.models.fit.cache import PictureCache
from figureground.models.inputs import resized
from figureground.models.settings import NORMALISATIONS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainData:
    """The samples of one split, ready to be read by number; picklable, so that worker processes can read."""

    samples: tuple[str, ...]
    """Ids, in the order of the data set."""
    images: tuple[str, ...]
    """Path or URL of each picture."""
    masks: LabelSource | None
    """None where `targets` are learned."""
    labels: tuple[str, ...]
    """Class name of each sample, empty where it is not known."""
    contexts: tuple[str, ...]
    """Context of each sample, empty where it is not known."""
    groups: np.ndarray
    """int64 [samples]: index into `group_names`, -1 where class or context is not known."""
    group_names: tuple[str, ...]
    """`class, context` of each group that has samples, sorted by class and context."""
    classes: ClassTable
    size_hw: tuple[int, int] | None
    """What every picture is resized to; None = native size, batches being padded to their largest picture."""
    stride_px: int
    """Batches are padded at the bottom and the right to a multiple of this: pictures with 0 after normalisation, masks with `IGNORE`."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    patches: bool = False
    """Masks are grids of patches that part their pictures evenly: a pixel takes its patch, whatever the size of the picture."""
    targets: np.ndarray | None = None
    """int64 [samples], class index of each sample where a classifier learns it: its mask is then one pixel of that class."""
    cache: PictureCache = field(default_factory=PictureCache, repr=False)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def background(self) -> int:
        """Index of the background class."""
        return self.classes.ids.index(self.classes.background)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Picture and mask of a sample at the network's size.

        Args:
            index: number of the sample.

        Returns:
            uint8 [height, width, 3] in the order R, G, B, and uint8 [height, width] of class indices, void as `IGNORE`; [1, 1] where there
            are `targets`. Both are read-only: they may be those of an earlier call.

        Raises:
            FormatError: a picture or mask that is absent, damaged, holds what is no class, or differs in size from the other.
        """
        found = self.cache.find(index)
        return found if found is not None else self.cache.keep(index, self._decoded(index))

    def _decoded(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        sample = self.samples[index]
        if self.masks is None:
            return self._pixel(index)
        runs, picture = self.masks.read(sample), read_picture(self.images[index], sample=sample)
        if self.patches:
            picture = picture if self.size_hw is None else resized(picture, self.size_hw, "bilinear")
            cells = class_indices(runs.dense(), self.classes, sample=sample)
            return picture, to_pixels(cells, (picture.shape[0], picture.shape[1]))
        if runs.size_hw != picture.shape[:2]:
            raise refusal(
                "size-mismatch",
                f"the mask is {written_size(runs.size_hw)} and its picture {written_size(picture.shape[:2])}",
                "Bring the mask and the picture that belong together",
                file=self.images[index],
                sample=sample,
            )
        if self.size_hw is not None:
            runs, picture = resize_nearest(runs, self.size_hw), resized(picture, self.size_hw, "bilinear")
        return picture, class_indices(runs.dense(), self.classes, sample=sample)

    def _pixel(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The picture, and its class as a mask of one pixel."""
        assert self.targets is not None
        picture = read_picture(self.images[index], sample=self.samples[index])
        target = np.full((1, 1), self.targets[index], np.uint8)
        return (picture if self.size_hw is None else resized(picture, self.size_hw, "bilinear")), target


def train_data(dataset: Dataset, *, size: int, norm: str, stride_px: int = 1, groups: str = "", patches: bool = False) -> TrainData:
    """The samples of a data set as training reads them.

    Pictures are resized and normalised by the functions that `predict` uses, so a network sees in use what it saw in training. Masks take
    the nearest pixel. Nothing is read yet.

    Args:
        dataset: with a picture and a mask for each sample.
        size: side of the square that pictures are resized to, in pixels; 0 = native size.
        norm: `imagenet`, `half` or `none`: what is taken off inputs in 0..1.
        stride_px: batches are padded to a multiple of this; 32 for most networks of segmentation_models_pytorch.
        groups: column that is crossed with the label to make groups; empty = the data set's context.
        patches: the masks are grids of patches and not of the size of their pictures.

    Raises:
        InputError: no samples, no masks, an unknown norm or column, or more classes than training knows (255).
        FormatError: samples without a picture.
    """
    if not dataset.samples:
        raise InputError(f"{dataset.name}: there are no samples to read. Choose a split that has some")
    if dataset.masks is None:
        raise InputError(f"{dataset.name}: a segmentation network learns from masks, and the data set has none. Give one with masks")
    if norm not in NORMALISATIONS:
        raise InputError(f"`norm` must be one of {', '.join(NORMALISATIONS)}; got '{norm}'")
    if len(dataset.classes) > IGNORE:
        raise InputError(f"{dataset.name}: training takes at most {IGNORE} classes; there are {len(dataset.classes)}")
    if pictureless := [s.id for s in dataset.samples if not s.image]:
        raise refusal("missing-file", f"the samples {some(pictureless)} name no picture", "Fill in the `image` column", file=dataset.name)
    labels = tuple(s.label or "" for s in dataset.samples)
    contexts = context_values(dataset, groups) or ("",) * len(labels)
    numbers, names = group_numbers(labels, contexts)
    mean, std = NORMALISATIONS[norm]
    return TrainData(
        samples=dataset.ids,
        images=tuple(s.image or "" for s in dataset.samples),
        masks=dataset.masks,
        labels=labels,
        contexts=contexts,
        groups=numbers,
        group_names=names,
        classes=dataset.classes,
        size_hw=(size, size) if size else None,
        stride_px=stride_px,
        mean=mean,
        std=std,
        patches=patches,
    )


def context_values(dataset: Dataset, groups: str) -> tuple[str, ...] | None:
    """The value of the column that makes groups for each sample; None where no column is named and the data set has no context.

    Raises:
        InputError: a column that no sample has a value for.
    """
    if not groups and "context" not in dataset.attributes:
        return None
    values = tuple(dataset.attribute(s, groups or "context") for s in dataset.samples)
    if not any(values):
        raise InputError(f"{dataset.name}: no sample has a value for `groups` {groups}. Known: {', '.join(dataset.attributes)}")
    return values


def class_indices(label_map: np.ndarray, classes: ClassTable, *, sample: str | None = None) -> np.ndarray:
    """Class ids as indices into the class table, void as `IGNORE`.

    Args:
        label_map: uint8 or uint16 [height, width] of class ids and the table's ignore value.
        classes: at most 255.
        sample: id, for the message.

    Returns:
        uint8 [height, width].

    Raises:
        FormatError: `unknown-class-id`, a value that is neither a class id nor void.

    >>> class_indices(np.array([[7, 3], [255, 7]], np.uint8), ClassTable(names=("ground", "cat"), ids=(3, 7), background=3)).tolist()
    [[1, 0], [255, 1]]
    """
    table = np.full(65_536 if label_map.dtype == np.uint16 else 256, -1, np.int16)
    for index, class_id in enumerate(classes.ids):
        if class_id < table.size:
            table[class_id] = index
    if classes.ignore is not None and classes.ignore < table.size:
        table[classes.ignore] = IGNORE
    found = table[label_map]
    if (found < 0).any():
        raise refusal(
            "unknown-class-id",
            f"the mask holds {int(label_map[found < 0][0])}, which is no class id",
            "Declare the class, or `ignore`, or correct the mask",
            sample=sample,
        )
    return found.astype(np.uint8)


def at_size(picture: np.ndarray, mask: np.ndarray, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A picture (bilinear with antialiasing) and its mask (nearest) at another size."""
    return resized(picture, size_hw, "bilinear"), resize_nearest(encode_runs(mask), size_hw).dense()


def group_numbers(labels: tuple[str, ...], contexts: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Group of each sample, and the names of the groups."""
    index = group_index({"class": labels, "context": contexts})
    groups = np.full(len(labels), -1, np.int64)
    for number, group in enumerate(index.groups):
        groups[group.members] = number
    return groups, tuple(", ".join(group.values) for group in index.groups)
