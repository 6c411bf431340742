# SPDX-License-Identifier: Apache-2.0
"""A filesystem in memory: what each call does to names, attributes and
contents, or which errno it gives, as POSIX and Linux have it for root."""
import errno
import os
import stat

NOREPLACE, EXCHANGE = 1, 2  # renameat2(2)
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16  # fallocate(2)


def fail(code):
    raise OSError(code, os.strerror(code))


class Node:
    """An inode. `times` are those last seen of the real one: [a, m, c]."""

    def __init__(self, kind, mode, uid, gid):
        self.kind, self.mode, self.uid, self.gid = kind, mode, uid, gid
        self.names = []  # (parent, name), one for each link
        self.xattrs = {}
        self.times = None
        self.read_at = None  # when its bytes were last read
        self.linkable = False  # from O_TMPFILE, had no name yet
        self.ino = None
        self.opens = 0
        if kind == "d":
            self.entries = {}
        elif kind == "f":
            self.data = bytearray()

    def nlink(self):
        if self.kind != "d":
            return len(self.names)
        if not self.names:
            return 0
        return 2 + sum(n.kind == "d" for n in self.entries.values())

    def size(self):
        return len(self.data) if self.kind == "f" else len(self.target)


TYPES = {"d": stat.S_IFDIR, "f": stat.S_IFREG, "l": stat.S_IFLNK, "p": stat.S_IFIFO, "s": stat.S_IFSOCK}


class Tree:
    """The model: what each call does, or which errno it gives."""

    def __init__(self):
        self.root = Node("d", 0o755, 0, 0)
        self.root.names.append((None, b""))
        self.begin()

    def begin(self):
        """Before a call: nothing has changed its times yet."""
        self.changed = {}  # node -> "amc": now; upper case: perhaps

    def touch(self, node, what):
        self.changed[node] = self.changed.get(node, "") + what

    def nodes(self):
        out, todo = {}, [self.root]
        while todo:
            d = todo.pop()
            out[d] = None
            for n in d.entries.values():
                if n.kind == "d":
                    todo.append(n)
                else:
                    out[n] = None
        return list(out)

    def path(self, node):
        parts = []
        while node is not self.root:
            node, name = node.names[0]
            parts.append(name)
        return b"/".join(reversed(parts)) or b"."

    def walk(self, path, follow, check=True):
        """(parent, name, node or None); symlinks at the end only if asked,
        and the length of the last name."""
        parts, at, links = path.split(b"/"), self.root, 0
        while True:
            name = parts.pop(0)
            if at.kind != "d":
                fail(errno.ENOTDIR)
            if name in (b"", b"."):
                if not parts:
                    return at.names[0][0], at.names[0][1], at
                continue
            if len(name) > 255 and (check or parts):
                fail(errno.ENAMETOOLONG)
            node = at.entries.get(name)
            if node and node.kind == "l" and (parts or follow):
                links += 1
                if links > 40:
                    fail(errno.ELOOP)
                parts = node.target.split(b"/") + parts
                continue
            if not parts:
                return at, name, node
            if node is None:
                fail(errno.ENOENT)
            at = node

    def get(self, path, follow=False):
        node = self.walk(path, follow)[2]
        return node or fail(errno.ENOENT)

    # ---- names

    def add(self, parent, name, node):
        parent.entries[name] = node
        node.names.append((parent, name))
        self.touch(parent, "mc")

    def drop(self, parent, name):
        node = parent.entries.pop(name)
        node.names.remove((parent, name))
        self.touch(parent, "mc")
        self.touch(node, "c")

    def make(self, path, kind, mode, target=None):
        parent, name, node = self.walk(path, False)
        if node:
            fail(errno.EEXIST)
        return self.make_in(parent, name, kind, mode, target)

    def make_in(self, parent, name, kind, mode, target=None):
        node = Node(kind, mode, 0, parent.gid if parent.mode & stat.S_ISGID else 0)
        if kind == "d" and parent.mode & stat.S_ISGID:
            node.mode |= stat.S_ISGID
        if kind == "l":
            node.target = target
        self.add(parent, name, node)
        self.touch(node, "amc")
        return node

    def open(self, path, flags, mode):
        """A regular file, or None for what opens and is of no use."""
        excl = flags & os.O_CREAT and flags & os.O_EXCL
        parent, name, node = self.walk(path, not excl and not flags & os.O_NOFOLLOW)
        if node is None:
            if not flags & os.O_CREAT:
                fail(errno.ENOENT)
            return self.make_in(parent, name, "f", mode)
        if excl:
            fail(errno.EEXIST)
        if node.kind == "l":
            fail(errno.ELOOP)
        if node.kind == "d":
            if flags & os.O_CREAT or flags & os.O_ACCMODE:
                fail(errno.EISDIR)
            return None
        if node.kind == "s" or node.kind == "p" and flags & os.O_ACCMODE == os.O_WRONLY:
            fail(errno.ENXIO)
        if node.kind == "p":
            return None
        if flags & os.O_TRUNC:
            node.data = bytearray()
            self.touch(node, "mc")
        return node

    def unlink(self, path):
        parent, name, node = self.walk(path, False)
        if node is None:
            fail(errno.ENOENT)
        if node.kind == "d":
            fail(errno.EISDIR)
        self.drop(parent, name)

    def rmdir(self, path):
        parent, name, node = self.walk(path, False)
        if node is None:
            fail(errno.ENOENT)
        if node.kind != "d":
            fail(errno.ENOTDIR)
        if node.entries:
            fail(errno.ENOTEMPTY)
        self.drop(parent, name)

    def link(self, old, new):
        node = self.get(old)
        parent, name, there = self.walk(new, False)
        if there:
            fail(errno.EEXIST)
        if node.kind == "d":
            fail(errno.EPERM)
        self.add(parent, name, node)
        self.touch(node, "c")

    def tmpfile(self, parent, mode):
        node = Node("f", mode, 0, parent.gid if parent.mode & stat.S_ISGID else 0)
        node.linkable = True
        return node

    def link_handle(self, node, new):
        """linkat(2) of /proc/self/fd/N."""
        parent, name, there = self.walk(new, False)
        if there:
            fail(errno.EEXIST)
        if not node.names and not node.linkable:
            fail(errno.ENOENT)
        self.add(parent, name, node)
        self.touch(node, "c")
        node.linkable = False

    def below(self, node, above):
        while node is not None:
            if node is above:
                return True
            node = node.names[0][0]
        return False

    def rename(self, old, new, flags):
        p, a, node = self.walk(old, False, False)
        q, b, there = self.walk(new, False, False)
        if len(a) > 255:
            fail(errno.ENAMETOOLONG)
        if node is None:
            fail(errno.ENOENT)
        if len(b) > 255:
            fail(errno.ENAMETOOLONG)
        if flags == NOREPLACE and there:
            fail(errno.EEXIST)
        if flags == EXCHANGE and not there:
            fail(errno.ENOENT)
        if self.below(q, node):
            fail(errno.EINVAL)
        if there and self.below(p, there):
            fail(errno.EINVAL if flags == EXCHANGE else errno.ENOTEMPTY)
        if node is there:
            return
        if there and flags != EXCHANGE:
            if node.kind == "d" and there.kind != "d":
                fail(errno.ENOTDIR)
            if node.kind != "d" and there.kind == "d":
                fail(errno.EISDIR)
            if there.kind == "d" and there.entries:
                fail(errno.ENOTEMPTY)
        if there:
            self.drop(q, b)
        self.drop(p, a)
        self.add(q, b, node)
        if flags == EXCHANGE:
            self.add(p, a, there)

    # ---- attributes

    def chmod(self, path, mode):
        node = self.get(path, True)
        node.mode = mode
        self.touch(node, "c")

    def chown(self, path, uid, gid):
        node = self.get(path)
        node.uid, node.gid = uid, gid
        if node.kind != "d":
            node.mode &= ~stat.S_ISUID
            if node.mode & stat.S_IXGRP:
                node.mode &= ~stat.S_ISGID
        self.touch(node, "c")

    def utimens(self, path, atime, mtime):
        node = self.get(path)
        node.times[0], node.times[1] = atime, mtime
        self.touch(node, "c")

    def may_user_xattr(self, node, name, write):
        if name.startswith(b"user.") and node.kind not in "fd":
            fail(errno.EPERM if write else errno.ENODATA)

    def setxattr(self, path, name, value, flags):
        node = self.get(path)
        self.may_user_xattr(node, name, True)
        if flags == os.XATTR_CREATE and name in node.xattrs:
            fail(errno.EEXIST)
        if flags == os.XATTR_REPLACE and name not in node.xattrs:
            fail(errno.ENODATA)
        same = node.xattrs.get(name) == value  # may be no change
        node.xattrs[name] = value
        self.touch(node, "C" if same else "c")

    def getxattr(self, path, name):
        node = self.get(path)
        self.may_user_xattr(node, name, False)
        return node.xattrs[name] if name in node.xattrs else fail(errno.ENODATA)

    def removexattr(self, path, name):
        node = self.get(path)
        self.may_user_xattr(node, name, True)
        if node.xattrs.pop(name, None) is None:
            fail(errno.ENODATA)
        self.touch(node, "c")

    # ---- contents

    def resize(self, node, size):
        same = size == len(node.data)
        del node.data[size:]
        node.data.extend(bytes(size - len(node.data)))
        self.touch(node, "MC" if same else "mc")

    def truncate(self, path, size):
        node = self.get(path, True)
        if node.kind == "d":
            fail(errno.EISDIR)
        if node.kind != "f":
            fail(errno.EINVAL)
        self.resize(node, size)

    def write(self, node, off, data):
        if off > len(node.data):
            node.data.extend(bytes(off - len(node.data)))
        node.data[off : off + len(data)] = data
        self.touch(node, "mc")
        return len(data)

    def fallocate(self, node, mode, off, size):
        end = off + size
        if not mode & KEEP_SIZE and end > len(node.data):
            node.data.extend(bytes(end - len(node.data)))
        if mode & (PUNCH_HOLE | ZERO_RANGE):
            end = min(end, len(node.data))
            if off < end:
                node.data[off:end] = bytes(end - off)
        self.touch(node, "MC")
