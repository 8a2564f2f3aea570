"""What a picture says about itself: its provenance in XMP, and the texts that generators leave in a PNG.

Provenance is IPTC's DigitalSourceType. One rule: the claim of the input is kept, never upgraded and
never invented. Only a claim of plain capture changes, to algorithmicallyEnhanced, where grain, texture or
another effect was added by an algorithm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.dom.minidom import Comment, Document, Element, Node, ProcessingInstruction, Text, parseString
from xml.parsers.expat import ExpatError, ParserCreate

from grainkit.errors import GrainkitError
from grainkit.io.png import MAX_TEXT, Chunk, inflated

NEWSCODES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
#: The terms of IPTC's DigitalSourceType.
DIGITAL_SOURCE_TYPES = frozenset(
    {
        "trainedAlgorithmicMedia",
        "compositeWithTrainedAlgorithmicMedia",
        "algorithmicallyEnhanced",
        "humanEdits",
        "digitalCreation",
        "digitalCapture",
        "computationalCapture",
        "compositeSynthetic",
        "compositeCapture",
        "composite",
        "algorithmicMedia",
        "dataDrivenMedia",
        "screenCapture",
        "virtualRecording",
        "negativeFilm",
        "positiveFilm",
        "print",
    }
)
#: Claims that say "as the camera or scanner gave it", no longer true of a finished picture.
CAPTURES = frozenset({"digitalCapture", "computationalCapture", "negativeFilm", "positiveFilm", "print"})
ENHANCED = "algorithmicallyEnhanced"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMLNS = "http://www.w3.org/2000/xmlns/"
_IPTC = ("Iptc4xmpExt", "http://iptc.org/std/Iptc4xmpExt/2008-02-29/")
_XMP = ("xmp", "http://ns.adobe.com/xap/1.0/")
_GRAINKIT = ("grainkit", "urn:grainkit:1.0:")
_TIFF = "http://ns.adobe.com/tiff/1.0/"
#: Vocabularies and properties that speak of what stands beside a picture in its file, which a finished one has not: a
#: gain map and where it is, the rest of a packet, a C2PA manifest elsewhere, the clip of a motion photo.
_BESIDE = frozenset({"http://ns.adobe.com/hdr-gain-map/1.0/", "http://ns.google.com/photos/1.0/container/"})
_MANIFEST = ("http://purl.org/dc/terms/", "provenance")
_BESIDE_PROPERTIES = frozenset({("http://ns.adobe.com/xmp/note/", "HasExtendedXMP"), _MANIFEST})
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_MOTION = ("MotionPhoto", "MicroVideo")
#: What is said where C2PA comes in.
CREDENTIALS_LOST = "its Content Credentials (C2PA) are lost: the pixels they sign are changed"
_SOURCE_TYPE, _TOOL, _SOFTWARE, _SUMMARY = "DigitalSourceType", "CreatorTool", "Software", "Summary"
_EMPTY = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF></x:xmpmeta>'
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = '\n<?xpacket end="w"?>'
#: What XML writes otherwise; xml.sax.saxutils would load all of urllib for it.
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
#: Elements nested deeper than this are no XMP.
_MAX_DEPTH = 100

#: The PNG text keyword under which an XMP packet travels.
XMP_KEYWORD = "XML:com.adobe.xmp"


def outgoing_source_type(claimed: str, declared: str = "", *, touched: bool = True) -> str:
    """The DigitalSourceType of a finished picture, '' where nobody says.

    claimed: what the input says of itself, '' for nothing; it wins, even where its term is not known here.
    declared: what the user says of the source; GrainkitError unless one of DIGITAL_SOURCE_TYPES or ''.
    touched: whether an effect changed pixels; size and format alone leave a capture what it is.
    """
    if declared and declared not in DIGITAL_SOURCE_TYPES:
        raise GrainkitError(f"digital source type {declared!r} is not one of {', '.join(sorted(DIGITAL_SOURCE_TYPES))}")
    said = claimed or declared
    return ENHANCED if said in CAPTURES and touched else said


def claimed_source_type(xmp: bytes | None) -> str:
    """The DigitalSourceType that a packet claims, without its newscodes prefix; '' where it claims none."""
    document = _parsed(xmp)
    found = _property(document, _IPTC[1], _SOURCE_TYPE) if document else ""
    return _term(found)


@dataclass(frozen=True)
class Packet:
    """What an XMP packet says of the file it came in.

    orientation: tiff:Orientation, 1..8, or None. finished_by: name and version of the grainkit that made the picture,
    or ''. credentials: whether a C2PA manifest is kept elsewhere. motion: whether a clip is in the file.
    upright: the packet saying that the picture is upright and alone in its file, the same bytes where it did.
    """

    orientation: int | None = None
    finished_by: str = ""
    credentials: bool = False
    motion: bool = False
    upright: bytes | None = None


def read_packet(xmp: bytes | None) -> Packet:
    """Read a packet; one that is no XMP, or none, says nothing."""
    document = _parsed(xmp)
    if document is None:
        return Packet(upright=xmp)
    orientation = _property(document, _TIFF, "Orientation")
    said = _said(document)
    motion = {(uri, name) for uri, name in said if uri == _CAMERA and name.startswith(_MOTION)}
    gone = motion | {one for one in said if one[0] in _BESIDE or one in _BESIDE_PROPERTIES}
    return Packet(
        int(orientation) if orientation in tuple("12345678") else None,
        _property(document, _GRAINKIT[1], _SOFTWARE),
        _MANIFEST in said,
        bool(motion),
        _upright(document, gone) if gone or orientation not in ("", "1") else xmp,
    )


def finished_before(software: str) -> str:
    """The sentence for who gives what a grainkit of that name and version finished."""
    return f"grainkit finished this file before ({software}); give it the original, or its grain is laid twice"


def _upright(document: Document, gone: set[tuple[str, str]]) -> bytes:
    """The packet without some properties, with an orientation of 1 where it states one."""
    rdf = document.getElementsByTagNameNS(_RDF, "RDF")[0]
    for uri, name in gone:
        _remove(rdf, uri, name)
    if _property(document, _TIFF, "Orientation"):
        _remove(rdf, _TIFF, "Orientation")
        ours = document.createElementNS(_RDF, _prefixed(rdf, "Description"))
        ours.setAttributeNS(_RDF, _prefixed(rdf, "about"), _about(rdf))
        ours.setAttributeNS(_XMLNS, "xmlns:tiff", _TIFF)
        ours.setAttributeNS(_TIFF, "tiff:Orientation", "1")
        rdf.appendChild(ours)
    root = document.documentElement
    assert root is not None
    return (_BEGIN + _written(root) + _END).encode()


def xmp_packet(*, digital_source_type: str, software: str, summary: str, existing: bytes | None = None) -> bytes:
    """An XMP packet (UTF-8, with its xpacket frame) that says what was done.

    digital_source_type: a term, '' to say nothing. A claim in `existing` stays, letter for letter,
        unless it is one of CAPTURES and the term is algorithmicallyEnhanced.
    software: "grainkit 0.1.0"; the CreatorTool where none is named yet, and always grainkit:Software.
    summary: one sentence, as grainkit:Summary.
    existing: the input's packet; all else in it is kept. One that is no XMP is left out.
    """
    document = _parsed(existing) or parseString(_EMPTY)
    rdf = document.getElementsByTagNameNS(_RDF, "RDF")[0]
    claim = _term(_property(document, _IPTC[1], _SOURCE_TYPE))
    wanted: dict[tuple[tuple[str, str], str], str] = {(_GRAINKIT, _SOFTWARE): software, (_GRAINKIT, _SUMMARY): summary}
    if digital_source_type and (not claim or (claim in CAPTURES and digital_source_type == ENHANCED)):
        wanted[_IPTC, _SOURCE_TYPE] = NEWSCODES + digital_source_type
    if not _property(document, _XMP[1], _TOOL):
        wanted[_XMP, _TOOL] = software
    for (_, uri), name in wanted:
        _remove(rdf, uri, name)
    ours = document.createElementNS(_RDF, _prefixed(rdf, "Description"))
    ours.setAttributeNS(_RDF, _prefixed(rdf, "about"), _about(rdf))
    for ((prefix, uri), name), value in wanted.items():
        ours.setAttributeNS(_XMLNS, f"xmlns:{prefix}", uri)
        ours.setAttributeNS(uri, f"{prefix}:{name}", _printable(value))
    rdf.appendChild(ours)
    root = document.documentElement
    assert root is not None
    return (_BEGIN + _written(root) + _END).encode()


def read_text(kind: bytes, body: bytes, room: int = MAX_TEXT) -> tuple[str, str]:
    """(keyword, text) of a tEXt, zTXt or iTXt chunk; ValueError where it is damaged or beyond `room` bytes."""
    name, found, rest = body.partition(b"\0")
    if not found:
        raise ValueError("no keyword")
    keyword = name.decode("latin-1")
    if kind == b"tEXt":
        return keyword, rest.decode("latin-1")
    if kind == b"zTXt":
        return keyword, inflated(rest[1:], room).decode("latin-1")
    packed, rest = rest[:1] == b"\1", rest[2:]
    _language, _, rest = rest.partition(b"\0")
    _translated, found, text = rest.partition(b"\0")
    if not found:
        raise ValueError("no text")
    return keyword, (inflated(text, room) if packed else text).decode("utf-8")


def text_chunks(text: tuple[tuple[str, str], ...]) -> Iterator[Chunk]:
    """Chunks that hold (keyword, text) in order: tEXt where Latin-1 can say it, else iTXt.

    Never compressed: the readers in generators' front ends know no zTXt.
    """
    for keyword, value in text:
        name = keyword.encode("latin-1")
        try:
            yield b"tEXt", name + b"\0" + value.encode("latin-1")
        except UnicodeEncodeError:
            yield international_text(name, value.encode("utf-8", "replace"))


def international_text(keyword: bytes, text: bytes) -> Chunk:
    """An uncompressed iTXt chunk of UTF-8 text, with neither language nor translation."""
    return b"iTXt", keyword + b"\0\0\0\0\0" + text


def _parsed(xmp: bytes | None) -> Document | None:
    """The packet's tree, or None for what is not XMP."""
    if not xmp or len(xmp) > MAX_TEXT:
        return None
    text = _decoded(xmp)
    text = text[text.find("<") : text.rfind(">") + 1]
    if text.startswith("<?xml "):
        text = text[text.find("?>") + 2 :].lstrip()
    data = text.encode("utf-8", "replace")
    try:
        _refuse_bombs(data)
        document = parseString(data)
    except (ExpatError, ValueError):
        return None
    return document if document.getElementsByTagNameNS(_RDF, "RDF") else None


def _refuse_bombs(data: bytes) -> None:
    """ValueError for a document type (XMP has none, and entities swell) and for nesting no recursion survives."""
    depth = 0

    def doctype(*_: object) -> None:
        raise ValueError("a document type")

    def start(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deep")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser = ParserCreate()
    parser.StartDoctypeDeclHandler, parser.StartElementHandler, parser.EndElementHandler = doctype, start, end
    parser.Parse(data, True)


def _decoded(xmp: bytes) -> str:
    """A packet's text; UTF-16 and UTF-32 are told by where the NULs stand around its first '<'."""
    wide = {b"<\0\0\0": "utf-32-le", b"\0\0\0<": "utf-32-be", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
    for mark, name in wide.items():
        if mark in xmp[:8]:
            return xmp[: len(xmp) & ~3 if "32" in name else len(xmp) & ~1].decode(name, "replace")
    return xmp.decode("utf-8", "replace")


def _written(node: Node) -> str:
    """The node as XML. (toxml() of Python 3.11 leaves line breaks in attributes bare, and parsers make them spaces.)"""
    if isinstance(node, Element):
        attributes = "".join(f' {name}="{value.translate(_IN_ATTRIBUTE)}"' for name, value in node.attributes.items())
        inside = "".join(_written(child) for child in node.childNodes)
        return f"<{node.tagName}{attributes}>{inside}</{node.tagName}>"
    if isinstance(node, Text):
        return node.data.translate(_IN_TEXT)
    return node.toxml() if isinstance(node, (Comment, ProcessingInstruction)) else ""


def _property(document: Document, uri: str, name: str) -> str:
    """A simple property's value, written as an attribute, an element's text or an rdf:resource."""
    for description in document.getElementsByTagNameNS(_RDF, "Description"):
        value = description.getAttributeNS(uri, name)
        if value:
            return value.strip()
    for element in document.getElementsByTagNameNS(uri, name):
        words = "".join(n.data for n in element.childNodes if n.nodeType in (n.TEXT_NODE, n.CDATA_SECTION_NODE))
        value = element.getAttributeNS(_RDF, "resource") or words
        if value.strip():
            return value.strip()
    return ""


def _said(document: Document) -> set[tuple[str, str]]:
    """(vocabulary, name) of every property, at any depth."""
    found = set()
    for element in document.getElementsByTagName("*"):
        found.add((element.namespaceURI or "", element.localName or ""))
        found.update((one.namespaceURI or "", one.localName or "") for one in element.attributes.values())
    return found


def _remove(rdf: Element, uri: str, name: str) -> None:
    """Take a property out, and a description of the picture that is left with nothing to say."""
    for description in list(rdf.getElementsByTagNameNS(_RDF, "Description")):
        if description.hasAttributeNS(uri, name):
            description.removeAttributeNS(uri, name)
    for element in list(rdf.getElementsByTagNameNS(uri, name)):
        if element.parentNode is not None:
            element.parentNode.removeChild(element)
    for description in list(rdf.getElementsByTagNameNS(_RDF, "Description")):
        said = [a for a in description.attributes.values() if a.namespaceURI != _XMLNS and a.localName != "about"]
        if description.parentNode is rdf and not said and not description.getElementsByTagName("*"):
            rdf.removeChild(description)


def _about(rdf: Element) -> str:
    """The URI that the packet's descriptions speak about: all of them must name the same, mostly ''."""
    first = rdf.getElementsByTagNameNS(_RDF, "Description")
    return first[0].getAttributeNS(_RDF, "about") if first else ""


def _prefixed(rdf: Element, name: str) -> str:
    prefix = rdf.prefix
    return f"{prefix}:{name}" if prefix else name


def _term(value: str) -> str:
    """The term of a newscodes URI (either scheme, either host spelling) or of a bare term."""
    return value.rstrip("/").rpartition("/")[2]


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold; line breaks become spaces."""
    return "".join(c for c in " ".join(text.split()) if c >= " ")
