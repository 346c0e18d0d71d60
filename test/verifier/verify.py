#!/usr/bin/env python3
"""Verifies evidence from Ward's audit log: exports, proofs of one entry and proofs of
consistency. It shares nothing with Ward: it was written from docs/audit-evidence.md,
and needs nothing but Python 3.

    verify.py --key KEY [--origin ORIGIN] FILE...

It prints a line for each file, and exits with 1 if one of them is no evidence."""

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import re
import sys

MAX_LINE = 1 << 21
MAX_PROOF = 1 << 22

KINDS = {
    "questions": "intent outcome refused recovered undelivered looked_up discarded",
    "readings": "read verified logged_in logged_out login_failed",
    "permanent": "erased expired held released restored",
}
CLASS = {kind: name for name, kinds in KINDS.items() for kind in kinds.split()}


class Wrong(Exception):
    """Something is not what it should be. Its text quotes nothing of an entry."""


def need(condition, reason):
    if not condition:
        raise Wrong(reason)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def unbase64(text):
    """Decodes base64 in its only spelling."""
    if isinstance(text, str):
        text = text.encode()
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Wrong("base64 is not written as it should be") from None
    need(base64.b64encode(decoded) == text, "base64 is not written as it should be")
    return decoded


def unhash(text):
    decoded = unbase64(text)
    need(len(decoded) == 32, "a hash is not of 32 bytes")
    return decoded


# --- Ed25519 (RFC 8032), verification only ---------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def point_add(a, b):
    """Adds points in extended coordinates: x = X/Z, y = Y/Z, T = XY/Z."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    u, v = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    w, z = 2 * t1 * t2 * D, 2 * z1 * z2
    e, f, g, h = v - u, z - w, z + w, v + u
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_times(n, a):
    total = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = point_add(total, a)
        a = point_add(a, a)
        n >>= 1
    return total


def point_decode(encoded):
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def point_encode(a):
    x, y, z, _ = a
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = point_decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519_verifies(public, signature, message):
    if len(signature) != 64:
        return False
    key = point_decode(public)
    s = int.from_bytes(signature[32:], "little")
    if key is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    negative = (P - key[0], key[1], 1, P - key[3])
    return point_encode(point_add(point_times(s, BASE), point_times(k, negative))) == signature[:32]


# --- AES-256-GCM (FIPS 197, SP 800-38D), decryption only --------------------------


def double(a):
    return (a << 1) ^ (0x11B if a & 0x80 else 0)


def make_sbox():
    box, p, q = [0] * 256, 1, 1
    while True:
        p ^= double(p)  # times 3
        for shift in (1, 2, 4):  # q divided by 3
            q ^= q << shift
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        rotated = q
        for n in range(1, 5):
            rotated ^= (q << n | q >> (8 - n)) & 0xFF
        box[p] = rotated ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return box


SBOX = make_sbox()


def aes_schedule(key):
    words, constant = [key[i : i + 4] for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = double(constant)
        elif i % 8 == 4:
            word = bytes(SBOX[b] for b in word)
        words.append(bytes(a ^ b for a, b in zip(word, words[i - 8])))
    return [b"".join(words[i : i + 4]) for i in range(0, 60, 4)]


def aes_encrypt(schedule, block):
    state = [a ^ b for a, b in zip(block, schedule[0])]
    for number, key in enumerate(schedule[1:], 1):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 14:
            mixed = []
            for c in range(0, 16, 4):
                column = state[c : c + 4]
                total = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += [column[i] ^ total ^ double(column[i] ^ column[(i + 1) % 4]) for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, key)]
    return bytes(state)


def ghash(h, data):
    h, y = int.from_bytes(h, "big"), 0
    for at in range(0, len(data), 16):
        y ^= int.from_bytes(data[at : at + 16], "big")
        product, v = 0, h
        for bit in range(127, -1, -1):
            if y >> bit & 1:
                product ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        y = product
    return y.to_bytes(16, "big")


def gcm_open(key, nonce, text, additional):
    need(len(text) >= 16, "a sealed content is too short")
    text, tag = text[:-16], text[-16:]
    schedule = aes_schedule(key)

    def stream(count):
        return aes_encrypt(schedule, nonce + count.to_bytes(4, "big"))

    def padded(data):
        return data + bytes(-len(data) % 16)

    lengths = (8 * len(additional)).to_bytes(8, "big") + (8 * len(text)).to_bytes(8, "big")
    sum_ = ghash(aes_encrypt(schedule, bytes(16)), padded(additional) + padded(text) + lengths)
    expected = bytes(a ^ b for a, b in zip(sum_, stream(1)))
    need(hmac.compare_digest(expected, tag), "a sealed content does not open with its key")
    pads = b"".join(stream(2 + i) for i in range((len(text) + 15) // 16))
    return bytes(a ^ b for a, b in zip(text, pads))


def open_sealed(key, sealed):
    def derived(purpose):
        return hmac.new(key, purpose + b"\0", hashlib.sha256).digest()

    need(len(sealed) >= 70 and sealed[0] == 1, "a sealed content is of no known form")
    head = 70 + 8 * sealed[69]
    need(len(sealed) >= head, "a sealed content is of no known form")
    need(hmac.compare_digest(derived(b"commitment"), sealed[37:69]), "a key is not that of its sealed content")
    return gcm_open(derived(b"encryption"), bytes(12), sealed[head:], sealed[:head])


# --- checkpoints ------------------------------------------------------------------


class Key:
    def __init__(self, text):
        match = re.fullmatch(r"([^+\s]+)\+([0-9a-f]{8})\+(\S+)", text)
        need(match, "the verifier key is not written as it should be")
        self.name = match[1]
        data = unbase64(match[3])
        need(len(data) == 33 and data[0] == 1, "the verifier key is not an Ed25519 key")
        self.public = data[1:]
        self.hash = sha256(self.name.encode(), b"\n", data)[:4]
        need(self.hash.hex() == match[2], "the verifier key does not have the hash that it says")


class Checkpoint:
    """A signed checkpoint, read and verified."""

    def __init__(self, signed, key, origin):
        try:
            text = signed.decode()
        except UnicodeDecodeError:
            raise Wrong("the checkpoint is not UTF-8") from None
        body, empty, signatures = text.partition("\n\n")
        lines = body.split("\n")
        need(empty and len(lines) == 3, "the checkpoint is not of three lines and its signatures")
        need(lines[0] == origin, "the checkpoint is of another log")
        need(re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]), "the size of the checkpoint is not a number")
        self.size, self.root = int(lines[1]), unhash(lines[2])
        need(self.size < 1 << 63, "the size of the checkpoint is not a number")
        need(signatures.endswith("\n"), "the signatures of the checkpoint are cut")
        signed_by, seen = False, set()
        for line in signatures[:-1].split("\n"):
            match = re.fullmatch(r"— ([^+\s]+) (\S+)", line)
            need(match, "a signature of the checkpoint is not written as it should be")
            data = unbase64(match[2])
            need(len(data) > 4, "a signature of the checkpoint is not written as it should be")
            signer = match[1], data[:4]
            need(signer not in seen, "the checkpoint has two signatures of one key")
            seen.add(signer)
            if signer == (key.name, key.hash):
                valid = ed25519_verifies(key.public, data[4:], (body + "\n").encode())
                need(valid, "the signature of the checkpoint is not that of the key")
                signed_by = True
        need(signed_by, "the checkpoint is not signed by the key")


# --- the tree ---------------------------------------------------------------------


def leaf_hash(leaf):
    return sha256(b"\0", leaf)


def node_hash(left, right):
    return sha256(b"\1", left, right)


class Tree:
    """A tree that grows from left to right."""

    def __init__(self):
        self.parts = []  # [leaves, root], larger ones first

    def add(self, leaves, root):
        self.parts.append((leaves, root))
        while len(self.parts) > 1 and self.parts[-1][0] == self.parts[-2][0]:
            (n, left), (_, right) = self.parts[-2:]
            self.parts[-2:] = [(2 * n, node_hash(left, right))]

    def add_range(self, first, end, roots):
        roots = list(roots)
        while first < end:
            leaves = 1 << ((end - first).bit_length() - 1)
            while first % leaves:
                leaves >>= 1
            need(roots, "there are too few hashes before or after the range")
            self.add(leaves, roots.pop(0))
            first += leaves
        need(not roots, "there are too many hashes before or after the range")

    def root(self):
        if not self.parts:
            return sha256()
        root = self.parts[-1][1]
        for _, left in reversed(self.parts[:-1]):
            root = node_hash(left, root)
        return root


def check_inclusion(proof, index, checkpoint, found):
    fn, sn = index, checkpoint.size - 1
    for step in proof:
        need(sn, "the proof is too long")
        if fn & 1 or fn == sn:
            found = node_hash(step, found)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, step)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and found == checkpoint.root, "the entry is not that of the checkpoint")


def check_consistency(proof, older, newer):
    """RFC 9162, section 2.1.4.2."""
    need(older.size <= newer.size, "the older checkpoint covers more than the newer")
    if older.size in (0, newer.size):
        need(not proof, "the proof is too long")
        expected = older.root if older.size else sha256()
        same = expected == (newer.root if older.size else older.root)
        need(same, "the two checkpoints are not of one log")
        return
    proof = list(proof)
    if older.size & (older.size - 1) == 0:
        proof.insert(0, older.root)
    need(proof, "the proof is too short")
    fn, sn = older.size - 1, newer.size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = proof[0]
    for step in proof[1:]:
        need(sn, "the proof is too long")
        if fn & 1 or fn == sn:
            old, new = node_hash(step, old), node_hash(step, new)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, step)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and old == older.root and new == newer.root, "the two checkpoints are not of one log")


# --- entries ----------------------------------------------------------------------


class Entry:
    """What stands on the line of an entry, after its hash or proof."""

    def __init__(self, rest, contents):
        """contents is None for a proof, which does not say what goes with its entry."""
        self.sealed = self.content = None
        match = re.match(rb'"sealed":"([^"]+)",', rest)
        if match and contents != "none":
            self.sealed = unbase64(match[1])
            rest = rest[match.end() :]
        if self.sealed is not None and contents in ("opened", None):
            rest = self.read_key(rest, contents is None)
        need(rest.startswith(b'"leaf":{') and rest.endswith(b"}}"), "a line is not written as it should be")
        self.leaf = rest[7:-1]
        try:
            self.fields = json.loads(self.leaf)
        except (ValueError, RecursionError):
            raise Wrong("a leaf is not JSON") from None
        need(isinstance(self.fields, dict), "a leaf is not a JSON object")
        self.seq = self.fields.get("seq")
        need(type(self.seq) is int and self.seq >= 0, "a leaf has no number")
        self.commits = self.fields.get("content")
        if self.sealed is not None:
            need(sha256(self.sealed).hex() == self.commits, "a sealed content is not that of its entry")

    def read_key(self, rest, optional):
        if rest.startswith(b'"locked":true,'):
            return rest[len(b'"locked":true,') :]
        match = re.match(rb'"key":"([^"]{44})","content":', rest)
        if not match:
            need(optional, "a line lacks its key")
            return rest
        self.content = open_sealed(unhash(match[1]), self.sealed)
        expected = self.content.replace(b"\n", b" ") + b","
        rest = rest[match.end() :]
        need(rest.startswith(expected), "a content is not the one that was sealed")
        need(isinstance(json.loads(self.content), dict), "a content is not a JSON object")
        return rest[len(expected) :]


class Lost:
    """Keeps account of the contents that are not there."""

    def __init__(self):
        self.by_class, self.count = {}, 0

    def take(self, entry):
        kind = entry.fields.get("kind")
        if entry.commits is not None and entry.sealed is None:
            self.by_class.setdefault(CLASS.get(kind, "operations"), set()).add(entry.seq)
            self.count += 1
        if kind in ("erased", "expired"):
            for name, lost in self.by_class.items():
                if entry.fields.get("class", name) == name:
                    for run in entry.fields.get("removed", []):
                        lost -= {n for n in lost if run["first"] <= n <= run["last"]}

    def unaccounted(self):
        return sum(len(lost) for lost in self.by_class.values())


# --- files ------------------------------------------------------------------------


def spelled(value):
    """A header in its only spelling."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def read_header(line):
    try:
        header = json.loads(line)
        again = spelled(header).encode()
    except (ValueError, RecursionError, UnicodeError):
        raise Wrong("this is not an export") from None
    need(isinstance(header, dict) and again == line, "this is not an export, or not in its spelling")
    names = ["ward_export", "contents", "first", "end", "before", "after", "checkpoint"]
    if "selection" in header:
        names = ["ward_export", "selection", "contents", "checkpoint"]
        need(header["selection"] is True, "this is not an export")
    need(list(header) == names, "the first line does not have the fields of an export")
    need(header["ward_export"] == 1 and type(header["ward_export"]) is int, "this is an export of no known form")
    need(header["contents"] in ("sealed", "none", "opened"), "this is an export of no known form")
    need(isinstance(header["checkpoint"], str), "there is no checkpoint")
    return header


def read_lines(file):
    number = 0
    while True:
        number += 1
        line = file.readline(MAX_LINE + 1)
        need(line.endswith(b"\n"), f"line {number}: the export is cut off here, or the line is too long")
        yield number, line[:-1]


def verify_export(file, key, origin):
    lines = read_lines(file)
    _, line = next(lines)
    header = read_header(line)
    checkpoint = Checkpoint(header["checkpoint"].encode(), key, origin)
    selection, contents = "selection" in header, header["contents"]
    tree, first, end = Tree(), 0, 0
    if not selection:
        first, end = header["first"], header["end"]
        need(type(first) is int and type(end) is int, "the range is not of numbers")
        need(0 <= first <= end <= checkpoint.size, "the range is not covered by the checkpoint")
        for name in ("before", "after"):
            need(isinstance(header[name], list), "there are no hashes around the range")
        tree.add_range(0, first, map(unhash, header["before"]))
    lost, entries, next_seq, version = Lost(), 0, first, 0
    for number, line in lines:
        if line.startswith(b'{"entries":') if selection else next_seq == end:
            break
        try:
            if selection:
                match = re.match(rb'\{"proof":\[("[^"]{44}"(?:,"[^"]{44}")*)?\],', line)
            else:
                match = re.match(rb'\{"hash":"([^"]{44})",', line)
            need(match, "the line is not written as it should be")
            entry = Entry(line[match.end() :], contents)
            need(entry.fields.get("v", 0) >= version or version < 3, "it is of an earlier form than the one before")
            version = entry.fields.get("v", 0)
            if selection:
                need(next_seq <= entry.seq < checkpoint.size, "the entry does not stand in order")
                proof = [unhash(h[1:-1]) for h in match[1].split(b",")] if match[1] else []
                check_inclusion(proof, entry.seq, checkpoint, leaf_hash(entry.leaf))
            else:
                need(entry.seq == next_seq, "another entry stands in its place")
                need(leaf_hash(entry.leaf) == unhash(match[1]), "it does not have its hash")
                tree.add(1, leaf_hash(entry.leaf))
            if contents != "none":
                lost.take(entry)
        except Wrong as wrong:
            raise Wrong(f"line {number}: {wrong}") from None
        entries, next_seq = entries + 1, entry.seq + 1
    need(line == b'{"entries":%d}' % entries, f"line {number}: it is not the last line")
    need(not file.read(1), "more follows the last line")
    if not selection:
        tree.add_range(end, checkpoint.size, map(unhash, header["after"]))
        need(tree.root() == checkpoint.root, "the entries are not those of the checkpoint")
        if end == checkpoint.size:
            need(not lost.unaccounted(), "contents are missing although no entry says that they were removed")
    what = "chosen entries" if selection else f"entries, from {first} on and before {end},"
    return (
        f"{entries} {what} of a log of {checkpoint.size}; contents lost: {lost.count}, "
        f"of which not accounted for: {lost.unaccounted()}"
    )


def verify_inclusion(data, key, origin):
    head, _, signed = data.partition(b"\n\n")
    match = re.fullmatch(rb"c2sp\.org/tlog-proof@v1\nextra (\S+)\nindex (0|[1-9][0-9]{0,18})((?:\n\S+)*)", head)
    need(match, "the proof is not written as it should be")
    entry = unbase64(match[1])
    need(entry.startswith(b"{") and b"\n" not in entry, "the entry is not written as it should be")
    entry, index = Entry(entry[1:], None), int(match[2])
    checkpoint = Checkpoint(signed, key, origin)
    need(entry.seq == index < checkpoint.size, "the entry is not that of the index")
    check_inclusion([unhash(h) for h in match[3].split(b"\n")[1:]], index, checkpoint, leaf_hash(entry.leaf))
    return f"entry {index} is in the log of {checkpoint.size}"


def verify_consistency(data, key, origin):
    parts = data.split(b"\n\n")
    need(len(parts) == 5, "the proof is not written as it should be")
    proof = [unhash(h) for h in parts[0].split(b"\n")[1:]]
    older = Checkpoint(parts[1] + b"\n\n" + parts[2] + b"\n", key, origin)
    newer = Checkpoint(parts[3] + b"\n\n" + parts[4], key, origin)
    check_consistency(proof, older, newer)
    return f"the log of {newer.size} begins with all {older.size} of the older checkpoint"


def verify(path, key, origin):
    with open(path, "rb") as file:
        start = file.read(26)
        file.seek(0)
        for form, verifier in (
            (b"c2sp.org/tlog-proof@v1\n", verify_inclusion),
            (b"ward-consistency-proof@v1\n", verify_consistency),
        ):
            if start.startswith(form):
                data = file.read(MAX_PROOF + 1)
                need(len(data) <= MAX_PROOF, "the proof is too long")
                return verifier(data, key, origin)
        return verify_export(file, key, origin)


def main():
    parser = argparse.ArgumentParser(description="Verifies evidence from an audit log of Ward.")
    parser.add_argument("--key", required=True, help="the log's verifier key")
    parser.add_argument("--origin", help="the log's origin; the name in the key")
    parser.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    failed = False
    try:
        key = Key(arguments.key)
    except Wrong as wrong:
        sys.exit(f"verify.py: {wrong}")
    for path in arguments.files:
        try:
            print(f"{path}: verified: {verify(path, key, arguments.origin or key.name)}")
        except Wrong as wrong:
            failed = True
            print(f"{path}: NO EVIDENCE: {wrong}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
