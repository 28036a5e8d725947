"""What came out of swap_results.py without counterexamples, each sentence with its figure and whether it is what was hoped for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from over_seeds import Over, over
from swap_methods import ALONE, BLOCKS, COARSE, EDGE_PX, METHODS, SEGMENTED, STILL
from swap_runs import Runs, certain, within

FAR, NEAR, LITTLE, CHANCE = 0.3, 0.05, 0.1, 0.6
"""Of accuracies: what counts as far above, as near, as a small part of a gain, and as chance where there are two classes."""
MASKED = ("backmix", "chang")
"""Of the methods compared with, those that are given true masks."""
HOLDS, NOT, OPEN = "**Holds**", "**Does not hold**", "**Not told apart**"


@dataclass(frozen=True, slots=True)
class Claim:
    """One of them."""

    hope: str
    """In a few words; empty where nothing was hoped for."""
    word: str
    told: str

    def __str__(self) -> str:
        return f"{self.word}: {self.told}" if self.hope else self.told


def claims(runs: Runs) -> list[Claim]:
    """All of them; changes are of the worst group, in points, paired by seed."""
    said = (_plain, _others, _truth, _control, _patches, _information, _edges, _filled, _flips, _segmentation, _masks, _twice)
    return [one(runs) for one in said]


def above(change: Over, *, least: float = 0.0) -> str:
    """Whether a change is more than `least`, beyond chance."""
    return HOLDS if change.low > least else NOT if change.high < least else OPEN


def below(change: Over, *, most: float = 0.0) -> str:
    """Whether a change is less than `most`, beyond chance."""
    return HOLDS if change.high < most else NOT if change.low > most else OPEN


def _plain(runs: Runs) -> Claim:
    change = runs.difference("swap", "erm")
    return Claim("far above plain training", above(change, least=FAR), f"swapping is far above plain training: {change.change()}.")


def _others(runs: Runs) -> Claim:
    others = [method for method in METHODS if not method.startswith("swap")]
    best = max(others, key=lambda method: runs.figure(method).value)
    change, still = runs.difference("swap", best), runs.difference(STILL, best)
    masks = ", which has the true masks of all pictures" if best in MASKED else ""
    return Claim(
        "above every other method",
        above(change),
        f"it is above every other method: {change.change()} against the best of them (`{best}`{masks}). "
        f"{above(still)} where it moves no figure, as the others do not (`{STILL}`): {still.change()}.",
    )


def _truth(runs: Runs) -> Claim:
    change = runs.difference("swap", "swap-truth")
    word = HOLDS if change.low > -NEAR and change.high < NEAR else NOT if change.high < -NEAR or change.low > NEAR else OPEN
    return Claim("near true masks", word, f"it is within {100 * NEAR:.0f} points of swapping by true masks: {change.change()}.")


def _control(runs: Runs) -> Claim:
    control, gain = runs.difference("swap-random", "erm"), runs.difference("swap", "erm")
    part = control.value / gain.value
    taken, hidden = (within(runs.proofs("swap-random", "masks", what)).points() for what in ("kept", "hidden"))
    return Claim(
        "no gain for the control",
        below(control, most=LITTLE * gain.value),
        f"the control, random rectangles, does not get the gain: {control.change()} against plain training, {100 * part:.0f} % of what "
        f"swapping brings; swapping against it {runs.difference('swap', 'swap-random').change()}. A rectangle takes {taken} % of the figure "
        f"along, and the hole that is filled hides {hidden} % of it.",
    )


def _patches(runs: Runs) -> Claim:
    change = runs.difference(BLOCKS, COARSE)
    return Claim(
        "16 x 16 patches better than 4 x 4",
        above(change),
        f"16 x 16 patches are better than 4 x 4, edges of both as their patches are: {change.change()}. Edges fitted to "
        f"the picture against not, at 16 x 16: {runs.difference('swap', BLOCKS).change()}.",
    )


def _masks(runs: Runs) -> Claim:
    """How good the masks are by the truth, means over pictures."""
    told = [
        f"{name} {within(runs.proofs(method, 'masks', 'iou')).value:.2f}, {within(runs.proofs(method, 'masks', 'kept')).points()} % and "
        f"{within(runs.proofs(method, 'masks', 'leakage')).points()} %"
        for method, name in (("swap", "with fitted edges"), (BLOCKS, "with those of patches"), (COARSE, "at 4 x 4"))
    ]
    return Claim(
        "",
        "",
        f"Masks by the truth: IoU, part of the figure that is cut out, part of what is cut out that is old ground: {'; '.join(told)}.",
    )


def _information(runs: Runs) -> Claim:
    before, after, chance = (
        runs.proofs("swap", "context", when, what)
        for when, what in (("before", "mutual_information"), ("after", "mutual_information"), ("after", "expected"))
    )
    control = runs.proofs("swap-random", "context", "after", "mutual_information")
    word = HOLDS if after.high < before.value / 100 else NOT
    return Claim(
        "a ground that says nothing of the label",
        word,
        f"what the ground tells of the label falls to nearly nothing: {before.value:.3f} nats before, {after.value:.4f} after, where "
        f"chance alone leaves {chance.value:.4f} in as many pictures. So it does for the control ({control.value:.4f}): this says what was "
        "drawn, not what was cut out.",
    )


def _edges(runs: Runs) -> Claim:
    seen = {which: runs.figure(f"edge-{which}", "accuracy") for which in ALONE}
    few, many = runs.samples("edge-own"), runs.samples("edge-swap")
    return Claim(
        "chance for who sees grounds alone",
        _by_chance(seen["swap"]),
        f"a classifier that sees grounds alone falls to chance. Of the outermost {EDGE_PX} pixels, of pictures whose figures do "
        f"not reach there, it names the class of {seen['own'].points()} % before, {seen['swap'].points()} % after swapping, "
        f"{seen['swap-truth'].points()} % after swapping by true masks, and {seen['swap-random'].points()} % after the control. It is tested on "
        f"few pictures, {few[0]} to {few[1]} a seed before and {many[0]} to {many[1]} after, and learns from three times as many.",
    )


def _by_chance(seen: Over) -> str:
    """Whether one of two classes is named as if by lot."""
    return HOLDS if seen.high < CHANCE else NOT if seen.low > 0.5 else OPEN


def _filled(runs: Runs) -> Claim:
    seen = {which: runs.figure(f"filled-{which}", "accuracy") for which in ALONE}
    return Claim(
        "chance for who sees what is left around figures",
        _by_chance(seen["swap"]),
        f"around figures, too. Where true figures are filled to their last pixel, such a classifier sees the form of the hole and "
        f"what a swap cut out too much of. It is right on {seen['own'].points()} % before, on {seen['swap-truth'].points()} % after swapping "
        f"by true masks, which is what the form tells; on {seen['swap'].points()} % after swapping, around whose figures a rim of old "
        f"ground is left; and on {seen['swap-random'].points()} % after the control.",
    )


def _flips(runs: Runs) -> Claim:
    return Claim(
        "fewer flips",
        below(runs.difference("swap", "erm", "flip_rate")),
        f"the same figure on the other ground gets the same answer more often: {runs.figure('erm', 'flip_rate').points()} % of such "
        f"pairs have two answers after plain training, {runs.figure('swap', 'flip_rate').points()} % after swapping.",
    )


def _segmentation(runs: Runs) -> Claim:
    """A U-Net before and after, where the tie is broken, and over all groups."""
    said, changes = [], {}
    for what in ("flipped", "correct", "missed"):
        text, changes[what] = _before_and_after({method: runs.verdict(method, what) for method in SEGMENTED})
        said.append(f"{what} {text}")
    text, change = _before_and_after({method: runs.named(method) for method in SEGMENTED})
    verdict = {HOLDS: "that is better", NOT: "that is worse", OPEN: "before and after swapping are not told apart"}[above(change)]
    return Claim(
        "fewer flips of a U-Net",
        below(changes["flipped"]),
        f"a U-Net on the same pictures, whose true masks it learns, flips less. Of the pixels of counterfactual groups "
        f"{'; '.join(said)}. Of the figures of all groups, those where class and ground are tied as in training too, it finds and names rightly "
        f"{text}: {verdict}. This is the *accuracy* of the rows, a mean over groups.",
    )


def _before_and_after(found: Mapping[str, Sequence[float]]) -> tuple[str, Over]:
    """Figures of the U-Nets, by seed, in words; and the change that swapping makes."""
    parts, changes = [f"{within(over(found['erm'])).points()} % before"], {}
    for method, name in (("swap", "after swapping"), ("swap-truth", "by true masks")):
        changes[method] = certain(over(b - a for a, b in zip(found["erm"], found[method], strict=True)))
        parts.append(f"{within(over(found[method])).points()} % {name} ({changes[method].change()})")
    return ", ".join(parts), changes["swap"]


def _twice(runs: Runs) -> Claim:
    plain = sum(not world.weights("jtt").exists() for world in runs.worlds)
    first = (
        f"The first model of `jtt` was right about every training picture in {plain} of {len(runs.worlds)} seeds: there `jtt` is `erm`. "
    )
    return Claim(
        "",
        "",
        f"{first if plain else ''}Every class has as many pictures as any other, each on one ground, so that `reweight` gives each picture the "
        "same weight: it is `erm` to the bit.",
    )
