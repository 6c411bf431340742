#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a pack with nothing but mersey-pack(5) and Python's own library.

An independent reader: it shares no code with the program, not even a
cipher, so it shows that the manual page says all that is needed. Slow.
Usage: read_pack.py ROOT-KEY-FILE KEY-OBJECT PACK [EXPECTED]
Prints one JSON object per member, with the SHA-256 of its content. With
EXPECTED, a file of such lines, it fails unless they are the same.
"""
import hashlib
import hmac
import json
import struct
import sys


class Bad(Exception):
    """The bytes are not what the format says."""


def need(condition, what):
    if not condition:
        raise Bad(what)


# ---- AES-256-GCM (FIPS 197, SP 800-38D) ---------------------------------

def _gf8(a, b):
    r = 0
    while b:
        if b & 1:
            r ^= a
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return r


def _sbox():
    box = []
    for x in range(256):
        inv = next((y for y in range(256) if _gf8(x, y) == 1), 0)
        s = inv
        for k in range(1, 5):
            s ^= (inv << k | inv >> 8 - k) & 0xFF
        box.append(s ^ 0x63)
    return box


SBOX = _sbox()
MUL2 = [_gf8(x, 2) for x in range(256)]


def expand_key(key):
    words = [list(key[i:i + 4]) for i in range(0, 32, 4)]
    rcon = 1
    while len(words) < 60:
        w = list(words[-1])
        if len(words) % 8 == 0:
            w = [SBOX[b] for b in w[1:] + w[:1]]
            w[0] ^= rcon
            rcon = _gf8(rcon, 2)
        elif len(words) % 8 == 4:
            w = [SBOX[b] for b in w]
        words.append([a ^ b for a, b in zip(words[-8], w)])
    return [sum(words[i:i + 4], []) for i in range(0, 60, 4)]


def aes(rounds, block):
    s = [a ^ b for a, b in zip(block, rounds[0])]
    for n, key in enumerate(rounds[1:], 1):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if n < 14:
            out = []
            for c in range(0, 16, 4):
                col = s[c:c + 4]
                t = col[0] ^ col[1] ^ col[2] ^ col[3]
                out += [col[i] ^ t ^ MUL2[col[i] ^ col[(i + 1) % 4]]
                        for i in range(4)]
            s = out
        s = [a ^ b for a, b in zip(s, key)]
    return bytes(s)


def ghash(h, data):
    y = 0
    for i in range(0, len(data), 16):
        y ^= int.from_bytes(data[i:i + 16], 'big')
        z, v = 0, h
        for bit in range(127, -1, -1):
            if y >> bit & 1:
                z ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        y = z
    return y


def pad16(b):
    return b + bytes(-len(b) % 16)


def gcm_open(key, nonce, aad, sealed):
    """The plain bytes, or Bad when the tag is wrong."""
    need(len(sealed) >= 16, 'no room for a tag')
    rounds = expand_key(key)
    ct, tag = sealed[:-16], sealed[-16:]
    h = int.from_bytes(aes(rounds, bytes(16)), 'big')
    lens = struct.pack('>QQ', 8 * len(aad), 8 * len(ct))
    y = ghash(h, pad16(aad) + pad16(ct) + lens)
    mask = aes(rounds, nonce + struct.pack('>I', 1))
    want = (y ^ int.from_bytes(mask, 'big')).to_bytes(16, 'big')
    need(hmac.compare_digest(want, tag), 'not authentic')
    plain = bytearray()
    for i in range(0, len(ct), 16):
        stream = aes(rounds, nonce + struct.pack('>I', 2 + i // 16))
        plain += bytes(a ^ b for a, b in zip(ct[i:i + 16], stream))
    return bytes(plain)


# ---- HKDF-SHA256 (RFC 5869) and LZ4 blocks ------------------------------

def hkdf(key, salt, info, n=32):
    prk = hmac.new(salt or bytes(32), key, hashlib.sha256).digest()
    return hmac.new(prk, info + b'\x01', hashlib.sha256).digest()[:n]


def lz4_block(src, want):
    out = bytearray()
    i = 0

    def more(n):
        nonlocal i
        while n >= 15:
            n += src[i]
            i += 1
            if src[i - 1] != 255:
                break
        return n

    while i < len(src):
        token = src[i]
        i += 1
        n = more(token >> 4)
        out += src[i:i + n]
        i += n
        if i >= len(src):
            break
        back = src[i] | src[i + 1] << 8
        i += 2
        n = more(token & 15) + 4
        need(0 < back <= len(out), 'LZ4 offset')
        for _ in range(n):
            out.append(out[-back])
    need(len(out) == want, 'LZ4 length')
    return bytes(out)


# ---- mersey-pack(5) -----------------------------------------------------

def root_key(text):
    name, digits, check = text.split()
    need(name == 'mersey-root-key-1', 'not a root key')
    key = bytes.fromhex(digits)
    need(hashlib.sha256(key).hexdigest()[:8] == check, 'check digits')
    return key


def generation_key(root, obj):
    need(len(obj) == 128 and obj[:8] == b'MERSEYKY', 'not a key object')
    version, gen = struct.unpack_from('<HxxI', obj, 8)
    volume, root_id, salt = obj[16:32], obj[32:40], obj[48:80]
    need(version == 1, 'version')
    need(root_id == hkdf(root, b'', b'mersey-pack-1 root id', 8),
         'another root key')
    wrap = hkdf(root, salt, b'mersey-pack-1 wrap key' + volume)
    return gen, volume, gcm_open(wrap, bytes(12), obj[:80], obj[80:])


def bound(volume, pack_id, domain, counter, plain_len, packed=0, last=0):
    nonce = struct.pack('<IQ', domain, counter)
    aad = struct.pack('<HBBIQ', 1, packed, last, domain, counter)
    return nonce, aad + volume + pack_id + struct.pack('<Q', plain_len)


def read_index(plain, gen, header, index_off):
    """Yields (frames, members)."""
    magic, version, index_gen = struct.unpack_from('<8sHxxI', plain)
    frames, members, runs, xattrs = struct.unpack_from('<4I', plain, 48)
    off, length = struct.unpack_from('<QQ', plain, 64)
    need(magic == b'MERSEYIX' and version in (1, 2, 3) and index_gen == gen,
         'index')
    need(plain[16:48] == hashlib.sha256(header).digest(), 'header hash')
    need(off == index_off and not any(plain[length:]), 'index place')
    at, place, table = 80, 128, []
    for _ in range(frames):
        word, less_one = struct.unpack_from('<IH', plain, at)
        stored = word & 0xFFFFFF
        table.append((place, stored, less_one + 1, word >> 31, word >> 30 & 1))
        place += stored
        at += 6
    need(place == index_off, 'frames do not fill the pack')
    out = []
    for _ in range(members):
        fields = struct.unpack_from('<QQQQqqqqIIIIII', plain, at)
        path_len, n_xattrs, n_runs = fields[11:]
        at += 88
        m = dict(zip(('inode', 'content_version', 'meta_version', 'size',
                      'atime_ns', 'mtime_ns', 'ctime_ns', 'btime_ns', 'mode',
                      'uid', 'gid'), fields))
        if version == 3:
            m['part'] = True
        m['path'] = plain[at:at + path_len].decode('latin-1')
        at += path_len
        m['xattrs'] = {}
        for _ in range(n_xattrs):
            name_len, value_len = struct.unpack_from('<HI', plain, at)
            at += 6
            name = plain[at:at + name_len].decode('latin-1')
            at += name_len + 1
            m['xattrs'][name] = plain[at:at + value_len].hex()
            at += value_len
        m['runs'] = [struct.unpack_from('<QII', plain, at + 16 * i)
                     for i in range(n_runs)]
        at += 16 * n_runs
        runs -= n_runs
        xattrs -= n_xattrs
        out.append(m)
    if version == 2:
        n_kept, = struct.unpack_from('<I', plain, at)
        at += 4
        for _ in range(n_kept):
            member, first, n, off, size = struct.unpack_from('<IIIQQ', plain,
                                                             at)
            pack = plain[at + 28:at + 44].hex()
            at += 44
            out[member].setdefault('kept', []).append(
                [off, size, pack, first, n])
    need(at == length and runs == 0 and xattrs == 0, 'index length')
    return table, out


def read_pack(root_text, key_object, pack):
    gen, volume, gen_key = generation_key(root_key(root_text), key_object)
    header = pack[:128]
    need(header[:8] == b'MERSEYPK', 'not a pack')
    version, pack_gen = struct.unpack_from('<HxxI', header, 8)
    need(version == 1 and pack_gen == gen, 'version or generation')
    need(header[16:32] == volume, 'another volume')
    pack_id, salt = header[32:48], header[48:80]
    key = hkdf(gen_key, salt, b'mersey-pack-1 data key' + volume + pack_id)
    nonce, aad = bound(volume, pack_id, 3, 0, 0)
    gcm_open(key, nonce, aad + header[:112], header[112:])

    trailer = pack[-64:]
    magic, version, off, length, trailer_id = struct.unpack_from(
        '<8sH6xQQ16s', trailer)
    need(magic == b'MERSEYTR' and version == 1 and trailer_id == pack_id,
         'trailer')
    need(off + length + 64 == len(pack), 'index place')
    nonce, aad = bound(volume, pack_id, 2, 0, length - 16)
    plain = gcm_open(key, nonce, aad, pack[off:off + length])
    table, members = read_index(plain, gen, header, off)

    for m in members:
        content = bytearray(m['size'])
        for file_off, first, n in m.pop('runs'):
            for i in range(first, first + n):
                place, stored, plain_len, packed, last = table[i]
                nonce, aad = bound(volume, pack_id, 1, i, plain_len, packed,
                                   last)
                data = gcm_open(key, nonce, aad, pack[place:place + stored])
                if packed:
                    data = lz4_block(data, plain_len)
                content[file_off:file_off + plain_len] = data
                file_off += plain_len
        m['sha256'] = hashlib.sha256(content).hexdigest()
        yield m


def main(argv):
    if len(argv) not in (4, 5):
        print(__doc__, file=sys.stderr)
        return 2
    data = []
    for name in argv[1:]:
        with open(name, 'rb') as f:
            data.append(f.read())
    lines = [json.dumps(m) for m in read_pack(data[0].decode(), *data[1:3])]
    print('\n'.join(lines))
    if len(data) > 3 and data[3].decode().split('\n')[:-1] != lines:
        print('not what was expected', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
