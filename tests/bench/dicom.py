# SPDX-License-Identifier: Apache-2.0
"""A CT study as a scanner sends it: DICOM part 10, explicit VR little endian,
512 x 512 samples of 16 bits, one StudyInstanceUID, several series. Each slice
has noise of its own, so that none repeats another."""
import pathlib
import random
import struct

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
ROOT = "1.2.826.0.1.3680043.10.1338"
SIDE = 512


def element(group, number, vr, value):
    """Text and UIDs padded to an even length, as PS3.5 section 6.2 wants."""
    if isinstance(value, int):
        value = struct.pack("<H", value)
    elif isinstance(value, str):
        value = value.encode()
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB") else b" "
    head = struct.pack("<HH2s", group, number, vr.encode())
    if vr in ("OB", "OW"):
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def header(study, series, instance):
    uid = f"{ROOT}.{study}.{series}.{instance}"
    meta = (
        element(0x0002, 0x0001, "OB", b"\0\1")
        + element(0x0002, 0x0002, "UI", CT_IMAGE_STORAGE)
        + element(0x0002, 0x0003, "UI", uid)
        + element(0x0002, 0x0010, "UI", EXPLICIT_LITTLE)
        + element(0x0002, 0x0012, "UI", f"{ROOT}.1")
    )
    length = element(0x0002, 0x0000, "UL", struct.pack("<I", len(meta)))
    return (
        bytes(128)
        + b"DICM"
        + length
        + meta
        + element(0x0008, 0x0016, "UI", CT_IMAGE_STORAGE)
        + element(0x0008, 0x0018, "UI", uid)
        + element(0x0008, 0x0020, "DA", "20261124")
        + element(0x0008, 0x0060, "CS", "CT")
        + element(0x0010, 0x0010, "PN", "Bench^Patient")
        + element(0x0010, 0x0020, "LO", f"BENCH{study:06}")
        + element(0x0020, 0x000D, "UI", f"{ROOT}.{study}")
        + element(0x0020, 0x000E, "UI", f"{ROOT}.{study}.{series}")
        + element(0x0020, 0x0011, "IS", str(series))
        + element(0x0020, 0x0013, "IS", str(instance))
        + element(0x0028, 0x0002, "US", 1)
        + element(0x0028, 0x0004, "CS", "MONOCHROME2")
        + element(0x0028, 0x0010, "US", SIDE)
        + element(0x0028, 0x0011, "US", SIDE)
        + element(0x0028, 0x0100, "US", 16)
        + element(0x0028, 0x0101, "US", 12)
        + element(0x0028, 0x0102, "US", 11)
        + element(0x0028, 0x0103, "US", 0)
    )


def pixels(rng, level):
    """Air outside a circle; inside it tissue with six bits of noise."""
    noise = bytes((b & 63) + level % 128 for b in range(256))
    out = bytearray()
    for y in range(SIDE):
        half = int(max(0, 200**2 - (y - SIDE // 2) ** 2) ** 0.5)
        row = bytearray(2 * SIDE)
        a, b = SIDE - 2 * half, SIDE + 2 * half
        row[a:b:2] = rng.randbytes(2 * half).translate(noise)
        row[a + 1 : b : 2] = b"\4" * (2 * half)
        out += row
    return bytes(out)


def slice_of(study, series, instance):
    rng = random.Random(f"{study}.{series}.{instance}")
    data = element(0x7FE0, 0x0010, "OW", pixels(rng, 8 * series + instance // 4))
    return header(study, series, instance) + data


def names(top, files, series=3):
    """Relative paths in the order in which they are sent and read."""
    each = -(-files // series)
    return [f"{top}/series-{i // each + 1}/IM{i % each + 1:05}.dcm" for i in range(files)]


def write_study(root, top, files, study):
    """Returns the relative paths; one that is there stays as it is."""
    paths = names(top, files)
    for rel in paths:
        p = pathlib.Path(root) / rel
        if not p.exists():
            p.parent.mkdir(parents=True, exist_ok=True)
            p.write_bytes(slice_of(study, int(p.parent.name[7:]), int(p.stem[2:])))
    return paths
