"""What a file's bytes say, whatever wrote them; and what a file is that is no notebook. Nothing is run.

A conflict is what git leaves where two versions met: two-way, or with their base between them (diff3, zdiff3).
"""

ENCODINGS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"{\0": "utf-16-le"}
"""First bytes → encoding. What has none of them is UTF-8."""
OTHERS = {
    b"version https://git-lfs": "it is a pointer of Git LFS: push or attach the notebook itself",
    b"%PDF": "it is a PDF: hand in the .ipynb file",
    b"PK\3\4": "it is an archive or an Office document: hand in the .ipynb file",
    b"Rar!": "it is an archive of type rar: unpack it",
    b"7z\xbc\xaf": "it is an archive of type 7z: unpack it",
    b"\x1f\x8b": "it is compressed: unpack it",
    b"\0\5\x16\7": "it is what macOS keeps beside a file: hand in the file itself",
    b"bplist": "it stands for a file that is still in iCloud: download it first",
    b"\x89PNG": "it is a picture: hand in the .ipynb file",
    b"\xff\xd8\xff": "it is a picture: hand in the .ipynb file",
    b"{\\rtf": "it is a text document: hand in the .ipynb file",
    b"[InternetShortcut]": "it is a link: hand in the .ipynb file",
    b"<": "it is a web page: download the notebook as .ipynb, and hand that in",
}
"""First bytes → what such a file is, and what to do."""


def decoded(data: bytes) -> tuple[str, list[str]]:
    """A file's text, and notes about what had to be repaired."""
    encoding = next((name for first, name in ENCODINGS.items() if data.startswith(first)), "utf-8")
    notes = ["it is written in UTF-16, and was read all the same"] if encoding.startswith("utf-16") else []
    try:
        return data.decode(encoding), notes
    except UnicodeDecodeError:
        lost = "some of its characters are not UTF-8 and were replaced"
        return data.decode(encoding, errors="replace"), [*notes, lost]


def other_than_notebook(data: bytes) -> str:
    """What a file is, and what to do, if its first bytes say that it is no notebook; else nothing."""
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:200]
    if not start.strip(b"\0"):
        return "it holds nothing but zeros: save it again" if data.strip() else "it is empty: save it again"
    return next((what for first, what in OTHERS.items() if start.startswith(first)), "")


def resolved(text: str, version: int = 0) -> tuple[str, int]:
    """The text with one version of each conflict, the first or the second; and how many conflicts there are."""
    kept, found, part = [], 0, None
    for line in text.split("\n"):
        mark = line[:7] if line[7:8] in {"", " ", "\r"} else ""
        if mark == "<<<<<<<" and part is None:
            found, part = found + 1, 0
        elif mark == "|||||||" and part == 0:
            part = -1
        elif mark == "=======" and part in {0, -1}:
            part = 1
        elif mark == ">>>>>>>" and part == 1:
            part = None
        elif part in {None, version}:
            kept.append(line)
    return ("\n".join(kept), found) if part is None else (text, 0)
