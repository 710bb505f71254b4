#!/usr/bin/env python3
"""Verifies an export of the event log with nothing but Python's standard library and the log's public key.

    python3 verify.py FOLDER LOG_VKEY [--witness VKEY]... [--older CHECKPOINT_FILE]...

Prints `intact`, or what happened first and at which log index; ends with 0, 1, or 2 when it can't tell. Written apart from the program that
made the export, after docs/AUDIT.md: the same checks in the same order, so both give the same verdict. Keys and heads have to come from
elsewhere than the export.
"""
import base64, collections, functools, hashlib, json, os, re, struct, sys
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
sha256 = lambda data: hashlib.sha256(data).digest()
node = lambda left, right: sha256(b"\1" + left + right)
Line = collections.namedtuple("Line", "index position leaf link proof")
class Damage(Exception):
    """What happened, and the index of the first event it touches (None if it touches none)."""

# Ed25519 (RFC 8032)
def point(data):
    y, sign = int.from_bytes(data, "little") & (1 << 255) - 1, data[31] >> 7
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P: x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign): raise ValueError("no point")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P
def add(p, q):
    a, b, c, d = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0]), 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P
def times(n, p):
    q = 0, 1, 1, 0
    while n: q, p, n = add(q, p) if n & 1 else q, add(p, p), n >> 1
    return q
BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
@functools.lru_cache(4096)
def check_signature(key, message, signature):
    if len(signature) != 64: raise ValueError("no signature")
    s, k = (int.from_bytes(data, "little") for data in (signature[32:], hashlib.sha512(signature[:32] + key + message).digest()))
    p, q = times(s, BASE), add(point(signature[:32]), times(k % L, point(key)))
    if s >= L or (p[0] * q[2] - q[0] * p[2]) % P or (p[1] * q[2] - q[1] * p[2]) % P: raise ValueError("wrong signature")

# Keys, signed notes, checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature)
def unbase64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text: raise ValueError("another way to write it")
    return data
def vkey(text):
    try: name, key_id, key = text.strip().split("+", 2); key = unbase64(key)
    except ValueError: raise ValueError("no vkey: " + text)
    if sha256(name.encode() + b"\n" + key)[:4].hex() != key_id or len(key) != 33 or key[0] not in (1, 4): raise ValueError("no vkey: " + text)
    return name, bytes.fromhex(key_id), key[0], key[1:]
def check_note(note, key):
    """The text of a note, if this key signed it; ValueError otherwise."""
    end, found, (name, key_id, kind, public) = note.rindex("\n\n"), False, key
    text, lines = note[:end + 1], note[end + 2:]
    if len(note.encode()) > 128 << 10 or re.search(r"[\0-\x09\x0b-\x1f]", note) or not re.fullmatch(r"(\u2014 [^\n ]+ [^\n ]+\n){1,64}", lines): raise ValueError("no note")
    for _, signer, data in (line.split(" ") for line in lines[:-1].split("\n")):
        data = unbase64(data)
        if len(data) < 5: raise ValueError("no signature")
        if signer == name and data[:4] == key_id:
            if kind == 1: check_signature(public, text.encode(), data[4:])
            else: check_signature(public, b"cosignature/v1\ntime %d\n" % int.from_bytes(data[4:12], "big") + text.encode(), data[12:])
            found = True
    if not found: raise ValueError("not signed by " + name)
    return text
def checkpoint(note, key):
    """Size and root."""
    match = re.fullmatch(r"([^\n]+)\n(0|[1-9][0-9]{0,19})\n([^\n]+)\n([^\n]+\n)*", check_note(note, key))
    if not match or match[1] != key[0] or int(match[2]) >= 2**64 or len(unbase64(match[3])) != 32: raise ValueError("no checkpoint of " + key[0])
    return int(match[2]), unbase64(match[3])

# The tree and its tiles (RFC 6962, C2SP tlog-tiles, tlog-proof)
def tree(leaves):
    """The function that gives the hash over leaves start..end; it remembers what it made."""
    known = {}
    def root(start, end):
        if end - start < 2: return leaves[start] if start < end else sha256(b"")
        if (start, end) not in known:
            split = start + (1 << (end - start - 1).bit_length() - 1)
            known[start, end] = node(root(start, split), root(split, end))
        return known[start, end]
    return root
def tiles(size):
    """Path of each tile, index of its first leaf, how many leaves are under each of its hashes, and its number of hashes."""
    for level in range(8):
        for index in range(-(-(size >> 8 * level) // 256)):
            width, groups = min(256, (size >> 8 * level) - 256 * index), re.findall("...", "%0*d" % (-(-len(str(index)) // 3) * 3, index))
            path = "/".join(["tile/%d" % level] + ["x" + group for group in groups[:-1]] + groups[-1:])
            yield path + (".p/%d" % width if width < 256 else ""), index << 8 * level + 8, 1 << 8 * level, width
def proved(line, note, size, root):
    """Whether a line's proof leads to the root (RFC 9162, 2.1.3.2) and ends in this checkpoint."""
    try:
        head, end = line.proof.split("\n\n", 1)
        first, index, *hashes = head.split("\n")
        if hashes and index.startswith("extra "): unbase64(index[6:]); index, *hashes = hashes
        if first != "c2sp.org/tlog-proof@v1" or index != "index %d" % line.index or end != note or line.index >= size or len(hashes) > 64: return False
        hash, here, last = line.leaf, line.index, size - 1
        for sibling in map(unbase64, hashes):
            if last == 0 or len(sibling) != 32: return False
            hash = node(sibling, hash) if here & 1 or here == last else node(hash, sibling)
            while here == last and not here & 1 and here: here, last = here >> 1, last >> 1
            here, last = here >> 1, last >> 1
        return last == 0 and hash == root
    except ValueError: return False

# Entries, one a line (docs/AUDIT.md)
STRING, NUMBER, TIME, UUID = rb'("(?:[^"\\\0-\x1f]|\\.)*")', rb"(0|[1-9][0-9]{0,19})", rb'"(0|-?[1-9][0-9]{0,18})"', rb'"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"'
HEAD, PROOF = rb'\{"index":' + NUMBER + rb',"position":"' + NUMBER + rb'"', rb'(?:,"proof":' + STRING + rb")?"
FIELDS = [(b"stream", STRING), (b"version", NUMBER), (b"id", UUID), (b"type", STRING), (b"schema_version", NUMBER), (b"occurred_at_ns", TIME), (b"recorded_at_ns", TIME),
    (b"actor", STRING), (b"request_id", UUID), (b"correlation_id", UUID), (b"trace_id", rb'"((?!0{32})[0-9a-f]{32})"'), (b"epoch", NUMBER), (b"previous", rb'"([0-9a-f]{64})"')]
OPTIONAL = lambda name, text: b"(?:" + text + b")?" if name == b"trace_id" else text
SHOWN = re.compile(HEAD + b"".join(OPTIONAL(name, b',"' + name + b'":' + form) for name, form in FIELDS) + PROOF + rb',"body":(.*)\}\n', re.S)
OPAQUE = re.compile(HEAD + PROOF + rb',"entry_base64":"([A-Za-z0-9+/=]*)"\}\n')
def string(data):
    value = json.loads(data)
    if json.dumps(value, ensure_ascii=False).encode() != data: raise ValueError("another way to write it")
    return value.encode()
def link(entry):
    """Stream, version and hash of the stream's event before; None if the entry's layout is not known."""
    try:
        (length,), at = struct.unpack_from(">H", entry, 1), 1
        stream, (version,) = entry[3:3 + length].decode(), struct.unpack_from(">Q", entry, 3 + length)
        at = 27 + length
        traced = {1: 0, 2: 16}[entry[0]]
        for behind in (18, 36 + traced):
            (length,) = struct.unpack_from(">H", entry, at)
            entry[at + 2:at + 2 + length].decode()
            at += 2 + length + behind
        if traced and not any(entry[at - 20:at - 4]): return None
        previous, body = struct.unpack_from(">32sI", entry, at)
        return (stream, version, previous) if len(entry) == at + 36 + body else None
    except (ValueError, KeyError, IndexError, struct.error): return None
def read_line(line):
    """None if no export writes such a line."""
    try:
        if match := SHOWN.fullmatch(line):
            index, position, *values, proof, body = match.groups()
            text, ident = lambda data: struct.pack(">H", len(string(data))) + string(data), lambda data: bytes.fromhex(data.decode().replace("-", ""))
            packed = lambda form: lambda data: struct.pack(form, int(data))
            forms = text, packed(">Q"), ident, text, packed(">H"), packed(">q"), packed(">q"), text, ident, ident, lambda data: ident(data) if data else b"", packed(">I"), ident
            entry = (b"\2" if values[10] else b"\1") + b"".join(form(value) for form, value in zip(forms, values)) + struct.pack(">I", len(body)) + body
        else:
            index, position, proof, entry = OPAQUE.fullmatch(line).groups()
            entry = unbase64(entry.decode())
        if max(int(index), int(position)) >= 2**64: return None
        return Line(int(index), int(position), sha256(b"\0" + entry), link(entry), None if proof is None else string(proof).decode())
    except (ValueError, AttributeError, struct.error): return None

def first_difference(expected, found):
    """What happened to the first index that is not in its place; `found` is the proved index of each line, or None."""
    for at, here in enumerate(found + [None] * (len(expected) - len(found))):
        if at >= len(expected): raise Damage("inserted", expected[-1] + 1 if expected else 0)
        if here == expected[at]: continue
        times = collections.Counter(found)
        if times[expected[at]]: raise Damage("reordered" if here is not None and times[here] == 1 and here in set(expected) else "inserted", expected[at])
        raise Damage("removed" if here is not None or at >= len(found) else "altered", expected[at])
def check_chains(lines, whole):
    """The order of positions, and each stream's versions and hashes."""
    last, position = {}, -1
    for line in lines:
        if line.position <= position: raise Damage("altered", line.index)
        position = line.position
        if line.link is None: continue
        stream, version, previous = line.link
        before, last[stream] = last.get(stream), (version, line.leaf, line.index)
        if before is None and not whole: continue
        number, leaf, index = before or (0, bytes(32), line.index)
        if version != number + 1: raise Damage("removed" if version > number + 1 else "inserted", line.index)
        if previous != leaf: raise Damage("altered", index)

def verify(folder, log, witnesses=(), heads=()):
    """Raises Damage unless the export is what the log signed and each head, a checkpoint's text, a prefix of it."""
    def read(name):
        try:
            with open(os.path.join(folder, name), "rb") as file: return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError): return None
    listed = lambda name: (read(name) is not None or name.startswith("tile/")) and manifest["files"].get(name) == {"bytes": len(read(name) or b""), "sha256": sha256(read(name) or b"").hex()}
    split = lambda data: re.findall(rb"[^\n]*\n|[^\n]+", data or b"")
    try:  # 1. the manifest
        data = read("manifest.json") or b""
        if read("manifest.sha256") != b"%s  manifest.json\n" % sha256(data).hex().encode(): raise ValueError("not its hash")
        manifest = json.loads(data)
        ranges, whole = manifest["entries"]["ranges"], manifest["filter"] is None
        bounds = [0] + [bound for pair in ranges for bound in pair] + [manifest["checkpoint"]["size"]]
        expected = [index for start, end in ranges for index in range(start, end)]
        if bounds != sorted(bounds) or any(start == end for start, end in ranges) or len(expected) != manifest["entries"]["count"]: raise ValueError("ranges")
        if manifest["format"] != "squareoff-export/1" or (whole and len(expected) != bounds[-1]): raise ValueError("format")
    except (ValueError, KeyError, TypeError): raise Damage("manifest", None)
    try:  # 2. the checkpoint and its cosignatures
        note = (read("checkpoint") or b"").decode()
        size, root = checkpoint(note, log)
    except ValueError: raise Damage("checkpoint", None)
    try:
        for witness in witnesses: check_note(note, witness)
    except ValueError: raise Damage("witness", None)
    if manifest["origin"] != log[0] or manifest["checkpoint"] != {"size": size, "root": base64.b64encode(root).decode()}: raise Damage("manifest", None)
    if heads and not whole: raise ValueError("a filtered export can't prove what an older head was a prefix of; verify a whole one")
    # 3. leaf hashes against the signed root: those of the tiles or, failing that, of the entries
    data, older = read("entries.jsonl"), []
    lines = [read_line(line) for line in split(data)]
    leaves, made = [], lambda leaves: tree(leaves)(0, size)
    for path, start, under, width in tiles(size if whole else 0):
        if under == 1: leaves += [hash if len(hash) == 32 else bytes(32) for hash in ((read(path) or b"")[32 * i:32 * i + 32] for i in range(width))]
    own = [line.leaf for line in lines] if len(lines) == size and None not in lines else None
    if whole and made(leaves) != root and own and made(own) == root: leaves = own
    over = tree(leaves)
    authentic = lambda line: line.index < size and line.proof is None and leaves[line.index] == line.leaf if whole else line.proof is not None and proved(line, note, size, root)
    known = {leaf: index for index, leaf in enumerate(leaves)}
    def index(at, line):
        """The index that a line is proved to have: the one it claims, or where its entry belongs if that is not where it stands."""
        if line and (manifest["positions"] != "dense" or line.position == line.index + 1) and authentic(line): return line.index
        return known.get(line.leaf) if line and line.proof is None and known.get(line.leaf) != at else None
    found = [index(at, line) for at, line in enumerate(lines)]
    for line in split(read("checkpoints.jsonl")) if whole else []:
        try: older.append(checkpoint(json.loads(line)["note"], log))
        except (ValueError, KeyError, TypeError, AttributeError): older.append(None)
    fits = lambda old: old is not None and old[0] <= size and over(0, old[0]) == old[1]
    if whole and over(0, size) != root:
        for path, start, under, width in tiles(size):
            if not listed(path): raise Damage("tile", start)
        first_difference(expected, found)
        check_chains(lines, whole)
        known = sorted(filter(None, older))
        raise Damage("altered", max([old[0] for at, old in enumerate(known) if all(map(fits, known[:at + 1]))], default=0))
    # 4. entries against leaf hashes, 5. the streams' chains
    if data is None: raise Damage("removed" if expected else "file", expected[0] if expected else None)
    first_difference(expected, found)
    check_chains(lines, whole)
    for path, start, under, width in tiles(size if whole else 0):  # 6. every tile
        tile, same = read(path) or b"", 0
        while same < width and tile[32 * same:32 * same + 32] == over(start + same * under, start + (same + 1) * under): same += 1
        if same < width or len(tile) != 32 * width: raise Damage("tile", start + same * under)
    if not all(map(fits, older)): raise Damage("checkpoint", None)  # 7. the older checkpoints
    for head in heads:  # 8. the heads given
        try: old = checkpoint(head, log)
        except ValueError: raise Damage("head", None)
        if old[0] > size or not fits(old): raise Damage("head", size if old[0] > size else None)
    for name in manifest["files"]:  # 9. every file
        if {"", ".", ".."} & set(name.split("/")) or not listed(name): raise Damage("file", None)

if __name__ == "__main__":
    given = {"--witness": [], "--older": []}
    try:
        if len(sys.argv) < 3 or len(sys.argv) % 2 == 0 or not set(sys.argv[3::2]) <= set(given): raise ValueError(__doc__)
        for name, value in zip(sys.argv[3::2], sys.argv[4::2]): given[name].append(value)
        if not os.path.isdir(sys.argv[1]): raise ValueError(sys.argv[1] + " is no folder")
        heads = [open(path, encoding="utf-8", newline="").read() for path in given["--older"]]
        verify(sys.argv[1], vkey(sys.argv[2]), [vkey(key) for key in given["--witness"]], heads)
    except Damage as damage:
        print(damage.args[0] if damage.args[1] is None else "%s at %d" % damage.args)
        sys.exit(1)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print("intact")
