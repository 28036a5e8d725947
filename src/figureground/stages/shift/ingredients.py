"""What composites are made of: cut-outs from a data set, scenes from folders or a data set, and which of them each split may use."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, Sample
from figureground.data import paths
from figureground.data.cutout import HALF, Cutout, cut_out, soft_edge
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.faults import refusal, written_size
from figureground.data.pixels import decode_picture
from figureground.data.sources import StampedSource
from figureground.data.spec import nearest, parse_spec

PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_WITH_ALPHA = (b"\x89PNG", b"RIFF")
"""How files begin that may hold an alpha channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A ground on which figures are set."""

    name: str
    """Unique among all scenes: path below the folder, or sample id."""
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutReader:
    """Reads the figure of a sample out of its picture and mask; picklable."""

    masks: StampedSource
    classes: ClassTable
    trim_px: float
    feather_px: float

    def alpha(self, sample: Sample) -> np.ndarray:
        """Alpha of the pixels of the sample's own class, uint8 [height, width]; all 0 where the mask has none.

        Raises:
            FormatError: an absent or faulty mask.
        """
        figure = self.masks.read(sample.id).dense() == self.classes.id_of(sample.label or "")
        alpha = np.zeros(figure.shape, np.uint8)
        rows, columns = np.flatnonzero(figure.any(axis=1)), np.flatnonzero(figure.any(axis=0))
        if rows.size:
            box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            alpha[box] = soft_edge(figure[box], trim_px=self.trim_px, feather_px=self.feather_px)
        return alpha

    def measure(self, sample: Sample) -> tuple[int, bytes]:
        """Pixels that are at least half figure, and a digest of picture and figure.

        Raises:
            FormatError: an absent or faulty mask, or a picture with an alpha channel that is not of 8 bits.
        """
        alpha = self.alpha(sample)
        data = paths.read_bytes(sample.image or "", sample=sample.id)
        digest = hashlib.sha256(data + alpha.tobytes()).digest()
        return int(np.count_nonzero(_clearer(alpha, data, sample) > HALF)), digest

    def read(self, sample: Sample) -> Cutout:
        """The figure of a sample, with the alpha of its picture taken into account where that has any.

        Raises:
            FormatError: a picture or mask that is absent, faulty, or of another size than the other.
            InputError: there is no figure.
        """
        data = paths.read_bytes(sample.image or "", sample=sample.id)
        rgb = decode_picture(data, file=sample.image, sample=sample.id)
        alpha = self.alpha(sample)
        if rgb.shape[:2] != alpha.shape:
            raise refusal(
                "size-mismatch",
                f"the mask is {written_size(alpha.shape)} and its picture {written_size((rgb.shape[0], rgb.shape[1]))}",
                "Bring the mask and the picture that belong together",
                file=sample.image,
                sample=sample.id,
            )
        return cut_out(rgb, _clearer(alpha, data, sample))


def _clearer(alpha: np.ndarray, data: bytes, sample: Sample) -> np.ndarray:
    """Alpha times that of the picture in the bytes, where it has one; `FormatError` where that is not of 8 bits."""
    if not data.startswith(_WITH_ALPHA):
        return alpha
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.shape[:2] != alpha.shape:
        return alpha
    if pixels.dtype != np.uint8:
        raise refusal(
            "unreadable-picture",
            f"the picture of a cut-out has pixels of type {pixels.dtype}, and which value is white is not said",
            "Convert it to 8 bits a channel",
            file=sample.image,
            sample=sample.id,
        )
    return ((alpha.astype(np.uint16) * pixels[..., 3] + 127) // 255).astype(np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The usable figures of each class."""

    name: str
    """Of their data set."""
    by_class: Mapping[str, tuple[Sample, ...]]
    reader: CutoutReader
    digest: str
    sources: tuple[str, ...]
    """Every file of their data set."""
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Reason -> ids of what is not used."""


def find_figures(spec: str, names: Sequence[str], *, trim_px: float, feather_px: float, smallest_px: int) -> Figures:
    """The figures of some classes of a data set.

    A figure is the part of a mask that has the class of the sample's label; other classes in the mask are left behind. Figures without a
    pixel, those with fewer than `smallest_px`, and the same picture and figure a second time are left out and listed.

    Raises:
        InputError: no masks or labels, or a name that is no class or has no sample.
        FormatError: a sample without a picture, or a mask that cannot be read.
    """
    dataset = open_dataset(spec)
    if dataset.masks is None or not any(sample.label for sample in dataset.samples):
        raise InputError(f"{dataset.name}: cut-outs need masks and a label for each sample. Declare both in its dataset.toml")
    reader = CutoutReader(masks=dataset.masks, classes=dataset.classes, trim_px=trim_px, feather_px=feather_px)
    by_class: dict[str, tuple[Sample, ...]] = {}
    left_out: dict[str, list[str]] = {"empty": [], "small": [], "twice": []}
    known: set[bytes] = set()
    for name in names:
        kept: list[Sample] = []
        for sample in _labelled(dataset, name):
            area, digest = reader.measure(sample)
            if area < smallest_px:
                left_out["small" if area else "empty"].append(sample.id)
            elif digest in known:
                left_out["twice"].append(sample.id)
            else:
                known.add(digest)
                kept.append(sample)
        by_class[name] = tuple(kept)
    used = [sample for samples in by_class.values() for sample in samples]
    pictures = "\n".join(f"{sample.id}\t{paths.stamp(sample.image or '')}" for sample in used)
    digest = hashlib.sha256(f"{dataset.fingerprint()}\n{pictures}".encode()).hexdigest()
    return Figures(
        name=dataset.name,
        by_class=by_class,
        reader=reader,
        digest=digest,
        sources=tuple(dataset.every_file()),
        left_out={reason: tuple(ids) for reason, ids in left_out.items()},
    )


def _labelled(dataset: Dataset, name: str) -> list[Sample]:
    known = [c for i, c in zip(dataset.classes.ids, dataset.classes.names, strict=True) if i != dataset.classes.background]
    if name not in known:
        raise InputError(f"`common` names '{name}', which is no class of {dataset.name}.{nearest(name, known)} Known: {', '.join(known)}")
    samples = [sample for sample in dataset.samples if sample.label == name]
    if not samples:
        raise InputError(f"{dataset.name} has no sample that is labelled '{name}'. Name a class that has some")
    if bare := [sample.id for sample in samples if not sample.image]:
        raise refusal("missing-file", "the sample has no picture", "Name its picture, or leave the sample out", sample=bare[0])
    return samples


def class_names(spec: str) -> tuple[str, ...]:
    """The classes of a data set."""
    return open_dataset(spec).classes.names


def context_names(spec: str) -> tuple[str, ...]:
    """The contexts of a folder with one subfolder a context, or of a data set with a context."""
    return tuple(_scenes(spec))


def find_scenes(spec: str, contexts: Sequence[str]) -> tuple[dict[str, tuple[Scene, ...]], tuple[str, ...]]:
    """The scenes of some contexts: of a folder with one subfolder a context, or of a data set with a context.

    Returns:
        Context -> its scenes; and the names of those that are left out because another file holds the same bytes, so that two splits cannot
        share them under two names.

    Raises:
        InputError: a context that has no picture; the message names those there are.
        FormatError: there is no such folder or data set.
    """
    found = _scenes(spec)
    for context in contexts:
        if context not in found:
            known = sorted(found)
            hint = nearest(context, known)
            raise InputError(f"{spec}: there is no picture of the context '{context}'.{hint} Contexts here: {', '.join(known) or 'none'}")
    chosen = [scene for context in contexts for scene in found[context]]
    twins = _twins(chosen)
    return {context: tuple(s for s in found[context] if s.name not in twins) for context in contexts}, tuple(sorted(twins))


def _twins(scenes: Sequence[Scene]) -> set[str]:
    """Names of scenes whose file is that of an earlier one; only files of equal size are read."""
    by_size: dict[str, list[Scene]] = {}
    for scene in scenes:
        by_size.setdefault(paths.stamp(scene.image).partition(":")[0], []).append(scene)
    twins: set[str] = set()
    for some in by_size.values():
        known: set[bytes] = set()
        for scene in some if len(some) > 1 else ():
            digest = hashlib.sha256(paths.read_bytes(scene.image, sample=scene.name)).digest()
            if digest in known:
                twins.add(scene.name)
            known.add(digest)
    return twins


def _scenes(spec: str) -> dict[str, list[Scene]]:
    parsed = parse_spec(spec)
    if parsed.kind is None and not parsed.options and paths.is_folder(spec) and not paths.exists(paths.join(spec, "dataset.toml")):
        return _folder_scenes(spec)
    return _dataset_scenes(open_dataset(spec))


def _folder_scenes(folder: str) -> dict[str, list[Scene]]:
    found: dict[str, list[Scene]] = {}
    for name in paths.list_files(folder):
        context, below, _ = name.partition("/")
        if below and name.lower().endswith(PICTURE_SUFFIXES):
            paths.check_name(name)
            found.setdefault(context, []).append(Scene(name=name, image=paths.join(folder, name)))
    return found


def _dataset_scenes(dataset: Dataset) -> dict[str, list[Scene]]:
    if dataset.context_attribute is None:
        raise InputError(f"{dataset.name}: scenes need a context. Declare its column in dataset.toml, or join one with ?attributes=TABLE")
    found: dict[str, list[Scene]] = {}
    for sample in dataset.samples:
        context = dataset.attribute(sample, "context")
        if context and sample.image:
            found.setdefault(context, []).append(Scene(name=sample.id, image=sample.image))
    return found


def scenes_digest(scenes: Mapping[str, Sequence[Scene]]) -> str:
    """sha256 over names, sizes and times of change."""
    lines = (f"{context}\t{scene.name}\t{paths.stamp(scene.image)}" for context, some in scenes.items() for scene in some)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def hold_out(names: Sequence[str], *, seed: int, what: str, parts: Mapping[str, float]) -> dict[str, tuple[int, ...]]:
    """Which of some things each split may use: a partition that depends on seed and names alone, not on their order or number of uses.

    Args:
        names: unique names, at least one for each split.
        seed: decides the order.
        what: what the things are, such as `figure flamingo`: things of two kinds are shuffled apart.
        parts: split -> part of the things; the last split gets the rest. Each gets round(part * n), at least one.

    Returns:
        Split -> numbers of the things, in shuffled order.

    Raises:
        InputError: fewer things than splits, or parts that leave nothing for the last split.
    """
    count = len(names)
    if count < len(parts):
        raise InputError(f"{what}: there are {count}, and {', '.join(parts)} need at least one each. Bring more, or ask for fewer splits")
    order = sorted(range(count), key=lambda i: hashlib.sha256(f"{seed}\0{what}\0{names[i]}".encode()).digest())
    *held, last = parts
    out, start = {}, 0
    for split in held:
        size = max(1, int(np.floor(parts[split] * count + 0.5)))
        out[split] = tuple(order[start : start + size])
        start += size
    if start >= count:
        raise InputError(f"{what}: {start} of {count} would be held out and none left for {last}. Lower `held_val` or `held_test`")
    return {**out, last: tuple(order[start:])}
