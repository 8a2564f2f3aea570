"""Provenance is kept, never upgraded, never invented; hostile XML is refused; PNG texts go round."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grainkit.errors import GrainkitError
from grainkit.io import exif
from grainkit.io.metadata import (
    CAPTURES,
    DIGITAL_SOURCE_TYPES,
    ENHANCED,
    NEWSCODES,
    claimed_source_type,
    outgoing_source_type,
    read_text,
    text_chunks,
    xmp_packet,
)

IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def rdf(body: str, attributes: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" xmlns:i="{IPTC}" xmlns:odd="urn:odd:" '
        f'xmlns:xmp="http://ns.adobe.com/xap/1.0/" {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def claims(packet: bytes) -> list[str]:
    """Every DigitalSourceType of a packet, found by another parser than the one under test."""
    text = packet.decode()
    root = ET.fromstring(text[text.index("<x:xmpmeta") : text.index("<?xpacket end")])
    found = [e.text or e.get(f"{{{RDF}}}resource") or "" for e in root.iter(f"{{{IPTC}}}DigitalSourceType")]
    return found + [
        e.attrib[f"{{{IPTC}}}DigitalSourceType"] for e in root.iter() if f"{{{IPTC}}}DigitalSourceType" in e.attrib
    ]


@pytest.mark.parametrize("term", sorted(DIGITAL_SOURCE_TYPES))
def test_only_plain_capture_changes(term: str) -> None:
    assert outgoing_source_type(term) == (ENHANCED if term in CAPTURES else term)
    assert outgoing_source_type("", term) == outgoing_source_type(term)


@pytest.mark.parametrize("declared", ["", *sorted(DIGITAL_SOURCE_TYPES)])
def test_what_the_input_claims_wins_over_what_is_declared(declared: str) -> None:
    assert outgoing_source_type("trainedAlgorithmicMedia", declared) == "trainedAlgorithmicMedia"
    assert outgoing_source_type("someFutureTerm", declared) == "someFutureTerm"


def test_nothing_is_invented() -> None:
    assert outgoing_source_type("") == ""
    assert claims(xmp_packet(digital_source_type="", software="grainkit 1", summary="s")) == []
    with pytest.raises(GrainkitError, match="madeUp"):
        outgoing_source_type("", "madeUp")


@pytest.mark.parametrize(
    "packet",
    [
        rdf("", f'i:DigitalSourceType="{NEWSCODES}trainedAlgorithmicMedia"'),
        rdf(f"<i:DigitalSourceType>{NEWSCODES}trainedAlgorithmicMedia</i:DigitalSourceType>"),
        rdf(f'<i:DigitalSourceType rdf:resource="{NEWSCODES}trainedAlgorithmicMedia"/>'),
        rdf("", 'i:DigitalSourceType="https://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"'),
        rdf("", 'i:DigitalSourceType="trainedAlgorithmicMedia"'),
        rdf("", f'i:DigitalSourceType="{NEWSCODES}trainedAlgorithmicMedia"').decode().encode("utf-16"),
        b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?>\n"
        + rdf("", 'i:DigitalSourceType="trainedAlgorithmicMedia"'),
        rdf("", 'i:DigitalSourceType="trainedAlgorithmicMedia"') + b"\0\0",
    ],
)
def test_a_claim_is_read_in_every_form_and_stays_as_it_is_written(packet: bytes) -> None:
    assert claimed_source_type(packet) == "trainedAlgorithmicMedia"
    before = claims(packet) if packet.startswith(b"<?xpacket") and not packet.endswith(b"\0") else None
    out = xmp_packet(digital_source_type=ENHANCED, software="grainkit 1", summary="s", existing=packet)
    assert claimed_source_type(out) == "trainedAlgorithmicMedia"
    assert before is None or claims(out) == before


@pytest.mark.parametrize("body", ["attribute", "element"])
def test_capture_becomes_enhanced_once(body: str) -> None:
    uri = NEWSCODES + "digitalCapture"
    packet = (
        rdf("", f'i:DigitalSourceType="{uri}"')
        if body == "attribute"
        else rdf(f"<i:DigitalSourceType>{uri}</i:DigitalSourceType>")
    )
    out = xmp_packet(digital_source_type=ENHANCED, software="grainkit 1", summary="s", existing=packet)
    assert claims(out) == [NEWSCODES + ENHANCED]
    assert claims(xmp_packet(digital_source_type="", software="g", summary="s", existing=packet)) == [uri]


def test_all_else_in_a_packet_is_kept_and_ours_is_replaced() -> None:
    packet = rdf(
        "<odd:Bag><rdf:Bag><rdf:li>a &amp; b</rdf:li></rdf:Bag></odd:Bag>", 'odd:note="x&#10;y" xmp:CreatorTool="First"'
    )
    once = xmp_packet(digital_source_type="humanEdits", software="grainkit 1", summary="one", existing=packet)
    twice = xmp_packet(digital_source_type="", software="grainkit 2", summary="two <&>\n", existing=once)
    text = twice.decode()
    root = ET.fromstring(text[text.index("<x:xmpmeta") : text.index("<?xpacket end")])
    assert [e.text for e in root.iter(f"{{{RDF}}}li")] == ["a & b"]
    attributes = [(k, v) for e in root.iter() for k, v in e.attrib.items() if not k.endswith("about")]
    assert sorted(attributes) == sorted(
        [
            ("{urn:odd:}note", "x\ny"),
            ("{http://ns.adobe.com/xap/1.0/}CreatorTool", "First"),
            (f"{{{IPTC}}}DigitalSourceType", NEWSCODES + "humanEdits"),
            ("{urn:grainkit:1.0:}Software", "grainkit 2"),
            ("{urn:grainkit:1.0:}Summary", "two <&>"),
        ]
    )
    again = xmp_packet(digital_source_type="", software="grainkit 2", summary="two <&>\n", existing=twice)
    assert again == twice


def test_packets_speak_of_the_same_subject() -> None:
    packet = rdf("", 'odd:note="x"').replace(b'rdf:about=""', b'rdf:about="uuid:1"')
    assert (
        xmp_packet(digital_source_type="", software="g", summary="s", existing=packet).count(b'rdf:about="uuid:1"') == 2
    )


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "' + b"ha" * 50 + b'"><!ENTITY b "' + b"&a;" * 1000 + b'">]>'


@pytest.mark.parametrize(
    "packet",
    [
        LAUGHS + rdf("&b;", 'i:DigitalSourceType="print"'),
        (LAUGHS + rdf("&b;", 'i:DigitalSourceType="print"')).decode().encode("utf-16"),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + rdf("", 'i:DigitalSourceType="print"'),
        rdf("<odd:a>" * 100_000 + "</odd:a>" * 100_000, 'i:DigitalSourceType="print"'),
        b"<x",
        b"no xml at all",
        b"<html/>",
        b"\xff\xfe\x00",
        b"",
    ],
    ids=["bomb", "wide bomb", "external", "deep", "cut", "text", "other", "bytes", "empty"],
)
def test_what_is_no_xmp_claims_nothing_and_is_replaced(packet: bytes) -> None:
    assert claimed_source_type(packet) == ""
    out = xmp_packet(digital_source_type="humanEdits", software="grainkit 1", summary="s", existing=packet)
    assert out == xmp_packet(digital_source_type="humanEdits", software="grainkit 1", summary="s")


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(junk: bytes) -> None:
    claimed_source_type(junk)
    claimed_source_type(rdf("")[:-100] + junk)


KEYWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=79)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)


@given(st.lists(st.tuples(KEYWORDS, TEXTS), max_size=4))
def test_texts_go_round_in_order(text: list[tuple[str, str]]) -> None:
    assert [read_text(kind, body) for kind, body in text_chunks(tuple(text))] == text


def test_compressed_texts_are_read() -> None:
    assert read_text(b"zTXt", b"k\0\0" + zlib.compress("é".encode("latin-1"))) == ("k", "é")
    assert read_text(b"iTXt", b"k\0\1\0de\0Wort\0" + zlib.compress("日本".encode())) == ("k", "日本")
    for kind, body in ((b"zTXt", b"k\0\0junk"), (b"iTXt", b"k\0\0\0"), (b"tEXt", b"k"), (b"iTXt", b"k\0\0\0\0\0\xff")):
        with pytest.raises(ValueError, match=r"damaged|cut short|no text|no keyword|decode"):
            read_text(kind, body)


def test_a_text_bomb_is_not_swallowed() -> None:
    with pytest.raises(ValueError, match="too long"):
        read_text(b"zTXt", b"k\0\0" + zlib.compress(bytes(65 << 20), 9))


@given(st.binary(max_size=120), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_no_exif_makes_the_reader_fail(junk: bytes, start: bytes) -> None:
    for block in (junk, start + junk):
        assert exif.orientation(block) in (None, *range(1, 9))
        assert len(exif.upright(block)) == len(block)
        assert len(exif.describing(block, (3, 4), (300.0, 300.0))) == len(block)
        exif.extract(block)
        exif.texts(block)


def test_exif_whose_fields_share_their_bytes_is_not_copied_for_each() -> None:
    count, size = 1000, 40_000
    fields = b"".join(struct.pack("<HHII", tag, 7, size, 0) for tag in range(count))
    main = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 26, 0)
    assert exif.extract(main + struct.pack("<H", count) + fields + bytes(size)) is None
    assert exif.extract(main + struct.pack("<H", 1) + fields[:12] + bytes(size)) is not None


def test_exif_pointing_at_itself_ends() -> None:
    loop = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 8, 8)
    assert not exif.says_srgb(loop)
    assert exif.extract(loop) is not None
