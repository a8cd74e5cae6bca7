"""Damaged files: mutations of the bytes of good ones."""

import io
import zipfile


def archive(path, entries, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


PIECES = [
    *(bytes([byte]) for byte in b",;\t:\"'\0\n\r?#-_ \xff"),
    b"\xef\xbb\xbf",
    "٣".encode(),
    b"@data\n",
    b"nan",
    b"inf",
    b"1e999",
    b"1e-400",
    b"9" * 400,
    b"0x1p3",
    b"true",
]


def mutate(content, choose):
    """Between one and eight wounds."""
    content = bytearray(content)
    for _ in range(choose.choice([1, 1, 1, 2, 3, 8])):
        kind, size = choose.randrange(10), len(content)
        if not size:
            break
        i = choose.randrange(size)
        j = min(size, i + choose.choice([1, 2, 4, 16, 100, 1000]))
        if kind == 0:
            content[i] = choose.randrange(256)
        elif kind == 1:
            content[i] ^= 1 << choose.randrange(8)
        elif kind == 2:
            del content[i:j]
        elif kind == 3:
            del content[i:]
        elif kind == 4:
            k = choose.randrange(size)
            content[i:j], content[k : k + j - i] = content[k : k + j - i], content[i:j]
        elif kind == 5:
            content[i:i] = content[i:j] * choose.choice([1, 1, 2, 50])
        elif kind in (6, 7):
            content[i:i] = choose.choice(PIECES)
        elif kind == 8:
            content[i:j] = bytes([choose.choice([0, 127, 128, 255])]) * (j - i)
        else:
            lines = content.split(b"\n")
            del lines[choose.randrange(len(lines))]
            content = bytearray(b"\n".join(lines))
    return bytes(content)


def mutate_inside(content, choose):
    """An npz with a wound in one of its arrays, under a checksum that is right again."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        entries = {info.filename: file.read(info) for info in file.infolist()}
        method = file.infolist()[0].compress_type
    name = choose.choice(list(entries))
    entries[name] = mutate(entries[name], choose)
    buffer = io.BytesIO()
    archive(buffer, entries, method)
    return buffer.getvalue()
