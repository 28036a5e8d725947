"""Fails where a package that figureground brings along is under the GPL or AGPL.

Looks at what is installed: the dependencies of the base and of every extra that users install, and theirs in turn. Tools that only
developers run (extras test, lint, docs, bench) are not handed on and are not looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

PACKAGE = "figureground"
FOR_USERS = ("torch", "smp", "timm", "hf", "onnx", "torchmetrics", "accelerate", "tensorboard", "train", "ray", "review", "all")
_COPYLEFT = re.compile(r"(?<![A-Za-z])A?GPL|(?<!Lesser )General Public License|Affero", re.IGNORECASE)
_LESSER = re.compile(r"LGPL|Lesser General Public License", re.IGNORECASE)
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[([^\]]*)\])?([^;]*)(?:;(.*))?$")


def dependencies(found: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Names that a package requires under some extras, each with the extras it asks for; markers other than extras count as true."""
    for line in found.requires or ():
        match = _REQUIREMENT.match(line)
        if match is None:
            raise SystemExit(f"{found.name}: cannot read the requirement '{line}'")
        name, asked, _, marker = match.groups()
        wanted = re.findall(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker or "")
        if not wanted or extras & set(wanted):
            yield name, frozenset(part.strip() for part in (asked or "").split(",") if part.strip())


def closure(package: str, extras: frozenset[str]) -> tuple[dict[str, Distribution], set[str]]:
    """Installed packages that `package` brings along by name, and the names that are not installed here."""
    found: dict[str, Distribution] = {}
    absent: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = [(package, extras)]
    while queue:
        name, wanted = queue.pop()
        key = (re.sub(r"[-_.]+", "-", name).lower(), wanted)
        if key in seen:
            continue
        seen.add(key)
        try:
            found[key[0]] = distribution(name)
        except PackageNotFoundError:
            absent.add(key[0])
            continue
        queue.extend(dependencies(found[key[0]], wanted))
    return found, absent


def licence(found: Distribution) -> str:
    """What the package says of its licence: the expression, else the classifiers, else the first line of the field."""
    meta = found.metadata
    if meta.get("License-Expression"):
        return meta["License-Expression"]
    classifiers = [c.rpartition(" :: ")[2] for c in meta.get_all("Classifier") or () if c.startswith("License :: ")]
    field = (meta.get("License") or "").strip().split("\n")[0]
    return ", ".join(classifiers) or field or "not stated"


def is_copyleft(text: str) -> bool:
    """True for the GPL and the AGPL, false for the LGPL and for a choice that offers something else beside the GPL."""
    choices = re.split(r"\s+OR\s+", text)
    return all(_COPYLEFT.search(_LESSER.sub("", choice)) for choice in choices)


def main() -> int:
    found, absent = closure(PACKAGE, frozenset(FOR_USERS))
    if PACKAGE not in found:
        print(f"{PACKAGE} is not installed here; run `make setup`", file=sys.stderr)
        return 2
    bad = {name: licence(one) for name, one in sorted(found.items()) if is_copyleft(licence(one))}
    for name, text in bad.items():
        print(f"{name}: {text}", file=sys.stderr)
    print(f"licences: {len(found)} packages looked at, {len(bad)} under the GPL or AGPL; not installed here: {len(absent)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
