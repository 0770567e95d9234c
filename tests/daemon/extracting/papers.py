"""Real files in real formats, made here: what people write in, and what means harm."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from itertools import chain

import docx
import odfdo
from pypdf import PdfReader, PdfWriter

from daemon.extracting.extracted import Facts

FACTS = Facts(size=1, name="paper", most_bytes=1 << 20)
LETTER = "Liebe Zoë, die Bienen fliegen schon. 👩‍🌾 שלום"

CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/>
</rootfiles></container>"""


def docx_of(*paragraphs: str) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    return saved_docx(document)


def saved_docx(document: "docx.document.Document") -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def odt_of(*paragraphs: str) -> bytes:
    document = odfdo.Document("text")
    document.body.clear()
    for paragraph in paragraphs:
        document.body.append(odfdo.Paragraph(paragraph))
    return saved_odt(document)


def saved_odt(document: odfdo.Document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def zip_of(entries: Mapping[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def rezipped(data: bytes, changes: Mapping[str, str | bytes]) -> bytes:
    """The same archive with other entries under these names."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    return zip_of(entries | dict(changes))


def epub_of(chapters: Mapping[str, str], *, more: Mapping[str, str | bytes] | None = None) -> bytes:
    """Chapters by name, in reading order, which is not the order in the archive."""
    items = "".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"/>'
        for name in chapters
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    package = f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Ein Bienenjahr</dc:title>
<dc:language>de</dc:language></metadata>
<manifest>{items}</manifest><spine>{spine}</spine></package>"""
    pages = {
        f"OEBPS/{name}.xhtml": f'<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
        f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>-</title></head>'
        f"<body>{body}</body></html>"
        for name, body in reversed(list(chapters.items()))
    }
    entries = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": package,
    }
    return zip_of({**entries, **pages, **(more or {})})


def pdf_of(*pages: Sequence[str]) -> bytes:
    """Pages of lines, in a font that knows every letter in them."""
    letters = sorted(set("".join(chain.from_iterable(pages))))
    codes = {letter: number for number, letter in enumerate(letters, 1)}
    mapping = "\n".join(
        f"<{code:04x}> <{letter.encode('utf-16-be').hex()}>" for letter, code in codes.items()
    )
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        f"{len(codes)} beginbfchar\n{mapping}\nendbfchar endcmap end end"
    )
    objects = [
        "<</Type/Catalog/Pages 2 0 R/Lang(de)>>",
        f"<</Type/Pages/Count {len(pages)}/Kids["
        + " ".join(f"{7 + 2 * number} 0 R" for number in range(len(pages)))
        + "]>>",
        "<</Type/Font/Subtype/Type0/BaseFont/Own/Encoding/Identity-H"
        "/DescendantFonts[4 0 R]/ToUnicode 6 0 R>>",
        "<</Type/Font/Subtype/CIDFontType2/BaseFont/Own/DW 500"
        "/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/FontDescriptor 5 0 R>>",
        "<</Type/FontDescriptor/FontName/Own/Flags 4/FontBBox[0 0 1000 1000]/ItalicAngle 0"
        "/Ascent 800/Descent -200/CapHeight 700/StemV 80>>",
        _stream(cmap),
    ]
    for number, lines in enumerate(pages):
        shown = " ".join(
            f"<{''.join(f'{codes[letter]:04x}' for letter in line)}> Tj 0 -14 Td" for line in lines
        )
        objects += [
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]"
            f"/Resources<</Font<</F 3 0 R>>>>/Contents {8 + 2 * number} 0 R>>",
            _stream(f"BT /F 12 Tf 50 800 Td {shown} ET"),
        ]
    return pdf_with(objects)


def pdf_with(objects: Sequence[str], *, root: int = 1) -> bytes:
    """A file with these objects, numbered from 1."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer\n<</Size {len(objects) + 1}/Root {root} 0 R>>\n".encode()
    return bytes(out + f"startxref\n{start}\n%%EOF\n".encode())


def locked_pdf(data: bytes, password: str, owner: str | None = None) -> bytes:
    """Encrypted; an empty password opens it for reading, as shops and offices do."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(password, owner_password=owner, algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def scanned_pdf() -> bytes:
    """A page with a picture and no letter."""
    return pdf_with(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Count 1/Kids[3 0 R]>>",
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 5 0 R"
            "/Resources<</XObject<</I 4 0 R>>>>>>",
            "<</Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8"
            "/ColorSpace/DeviceGray/Length 1>>\nstream\nx\nendstream",
            _stream("100 0 0 100 0 0 cm /I Do"),
        ]
    )


def _stream(content: str) -> str:
    return f"<</Length {len(content)}>>\nstream\n{content}\nendstream"
