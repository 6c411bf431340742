# SPDX-License-Identifier: Apache-2.0
"""What a client did, what was acknowledged to it, and what a disk must hold.

A client writes each operation to its record before it asks for it, and again
when it was answered. From a record, or its beginning, a Model tells what a
power cut may leave: the names of one moment since the last sync, as one
client's operations become durable in their order, and in each file for each
block one of the contents since that file's last sync.

Every block tells whose it is, so that an older, a newer and a foreign content
are told apart.
"""
import hashlib
import json
import os

BLOCK = 4096
HOLE = 0  # a generation: zeros


def block(fid, index, generation):
    """The bytes of one block of one file."""
    if generation == HOLE:
        return bytes(BLOCK)
    head = f"{fid}.{index}.{generation};".encode()
    return (head + hashlib.sha256(head).hexdigest().encode() * 64)[:BLOCK]


def content(fid, version):
    """The bytes of a file; a version is [size, generation of each block]."""
    size, generations = version
    return b"".join(block(fid, i, g) for i, g in enumerate(generations))[:size]


def fit(generations, size):
    """Generations of a file that gets another size."""
    n = -(-size // BLOCK)
    return (list(generations) + [HOLE] * n)[:n]


class Model:
    """Files are numbers, unique over all clients; paths are of one client."""

    def __init__(self):
        self.states = [{}]  # since the last sync: path -> file or "dir"
        self.marks = [{}]  # beside each state: file -> value of an xattr
        self.files = {}  # file -> its versions since its last sync
        self.synced = 0  # acknowledged syncs
        self.pending = None

    def now(self):
        return self.states[-1]

    def will(self, op):
        """The operation is under way: from here on it may have happened."""
        self.pending = op
        names, marks = dict(self.states[-1]), dict(self.marks[-1])
        getattr(self, "op_" + op["op"])(op, names, marks)
        if names != self.states[-1] or marks != self.marks[-1]:
            self.states.append(names)
            self.marks.append(marks)

    def did(self):
        """It was answered. `sync` says what survives from now on."""
        op = self.pending
        self.pending = None
        if "sync" not in op:
            return
        self.synced += 1
        del self.states[:-1], self.marks[:-1]
        if op["sync"] == "file":
            del self.files[op["file"]][:-1]

    def op_mkdir(self, op, names, marks):
        names[op["path"]] = "dir"

    def op_create(self, op, names, marks):
        names[op["path"]] = op["file"]
        self.files[op["file"]] = [[0, []]]

    def op_write(self, op, names, marks):
        """The content becomes op["version"], through O_TRUNC maybe."""
        versions = self.files[op["file"]]
        if op.get("emptied"):
            versions.append([0, []])
        versions.append(op["version"])

    def op_link(self, op, names, marks):
        names[op["to"]] = names[op["path"]]

    def op_unlink(self, op, names, marks):
        del names[op["path"]]

    op_rmdir = op_unlink

    def op_rename(self, op, names, marks):
        old, new = op["path"], op["to"]
        for path in [p for p in names if p == old or p.startswith(old + "/")]:
            names[new + path[len(old) :]] = names.pop(path)

    def op_mark(self, op, names, marks):
        marks[op["file"]] = op["value"]

    def op_sync(self, op, names, marks):
        pass


def replay(data):
    """The model after a record, or a beginning of it."""
    m = Model()
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        event = json.loads(line)
        if event == "ok":
            m.did()
        else:
            m.will(event)
    return m


# ---- what is there -----------------------------------------------------


def look(root):
    """Everything below a client's directory; OSError when it cannot be read."""
    found = {}
    for top, dirs, files in os.walk(root, onerror=_raise):
        for name in dirs:
            found[os.path.relpath(os.path.join(top, name), root)] = None
        for name in files:
            p = os.path.join(top, name)
            with open(p, "rb") as f:
                data = f.read()
            st = os.stat(p)
            try:
                mark = os.getxattr(p, "user.mark").decode()
            except OSError:
                mark = None
            found[os.path.relpath(p, root)] = (data, st.st_ino, st.st_nlink, mark)
    return found


def _raise(error):
    raise error


def wrong_content(fid, versions, data):
    """What is wrong with a file's bytes, or None."""
    if len(versions) == 1:
        return None if data == content(fid, versions[0]) else f"is not version {versions[0]} but {tell(data)}"
    sizes = [v[0] for v in versions]
    if not min(sizes) <= len(data) <= max(sizes):
        return f"has {len(data)} bytes, not {min(sizes)} to {max(sizes)}"
    for i in range(-(-len(data) // BLOCK)):
        got = data[i * BLOCK : (i + 1) * BLOCK]
        may = {v[1][i] for v in versions if i < len(v[1])}
        # Bytes that no sync covers may be missing behind what was written.
        if any(i >= len(v[1]) or v[0] < (i + 1) * BLOCK for v in versions):
            may.add(HOLE)
            got = got.rstrip(b"\0")
        if not any(block(fid, i, g).startswith(got) for g in may):
            return f"block {i} is none of {sorted(may)} but {tell(got)}"
    return None


def tell(data):
    return f"{len(data)} bytes, {data[:24]!r}"


def wrong_state(model, k, found):
    """What does not agree with the k-th state; names must."""
    names, marks = model.states[k], model.marks[k]
    wrong = []
    inodes = {}
    for path, fid in names.items():
        if fid == "dir" or found[path] is None:
            if (fid == "dir") != (found[path] is None):
                wrong.append(f"{path}: not of the right type")
            continue
        data, ino, nlink, mark = found[path]
        what = wrong_content(fid, model.files[fid], data)
        if what:
            wrong.append(f"{path}: {what}")
        if nlink != sum(f == fid for f in names.values()):
            wrong.append(f"{path}: {nlink} links")
        if inodes.setdefault(fid, ino) != ino:
            wrong.append(f"{path}: its links are different files")
        if mark != marks.get(fid):
            wrong.append(f"{path}: xattr {mark}, not {marks.get(fid)}")
    return wrong


def violations(model, root):
    """What a client may complain about after the power cut; [] is good."""
    try:
        found = look(root)
    except OSError as e:
        if model.synced == 0 and not model.states[0]:
            return []  # not even its directory was promised
        return [f"cannot be read: {e}"]
    best = None
    for k in reversed(range(len(model.states))):
        if model.states[k].keys() != found.keys():
            continue
        wrong = wrong_state(model, k, found)
        if not wrong:
            return []
        best = best or wrong
    if best:
        return best
    want = model.states[0].keys()
    return [f"{p}: gone" for p in want - found.keys()] + [f"{p}: is there" for p in found.keys() - want]
