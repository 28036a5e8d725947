"""XML read without what makes it dangerous: a file with a document type is refused, so no entity is ever expanded or fetched."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from figureground.core.errors import FormatError
from figureground.data import paths
from figureground.data.faults import refusal

MOST_DEPTH = 64
_EARLY = [expat.errors.codes[name] for name in (expat.errors.XML_ERROR_NO_ELEMENTS, expat.errors.XML_ERROR_UNCLOSED_TOKEN)]


def read_xml(file: str) -> Element:
    """The root of an XML file.

    Raises:
        FormatError: the file is absent, no XML, ends early, has a document type, or is nested deeper than any export.
    """
    data = paths.read_bytes(file)
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MOST_DEPTH:
            raise _bad(file, f"its elements are nested more than {MOST_DEPTH} deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise _bad(file, "it has a document type (<!DOCTYPE ...>), which no annotation file needs and which can do harm")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        code = "truncated-file" if error.code in _EARLY else "corrupt-file"
        raise refusal(code, f"the file is no whole XML document ({error})", "Export it again", file=file) from error
    except (ValueError, LookupError) as error:  # an encoding that is unknown, or not what is declared
        if isinstance(error, FormatError):
            raise
        raise refusal("bad-encoding", f"the text cannot be read ({str(error)[:80]})", "Save the file as UTF-8", file=file) from error
    return builder.close()


def _bad(file: str, problem: str) -> FormatError:
    return refusal("corrupt-file", f"the XML file is refused: {problem}", "Export it again from the tool", file=file)
