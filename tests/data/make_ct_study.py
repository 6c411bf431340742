#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a CT study: N slices of 512 x 512 x 16 bit, real DICOM by pydicom.

Usage: make_ct_study.py DIR [SLICES [PATIENT-NAME]]. Air around a noisy body, as
in a real scan; the same arguments make the same files.
"""
import pathlib
import random
import sys

import pydicom
from pydicom.data import get_testdata_file

ROWS = 512
NOISE = bytes(b & 7 for b in range(256))  # high bytes: 11-bit values


def pixels(rng):
    """A disc of noise in air, row by row."""
    out = bytearray(ROWS * ROWS * 2)
    for y in range(ROWS):
        half = int((max(0, 240**2 - (y - 256) ** 2)) ** 0.5)
        if half:
            row = bytearray(4 * half)
            row[0::2] = rng.randbytes(2 * half)
            row[1::2] = rng.randbytes(2 * half).translate(NOISE)
            start = (y * ROWS + 256 - half) * 2
            out[start : start + 4 * half] = row
    return bytes(out)


def main():
    target = pathlib.Path(sys.argv[1])
    slices = int(sys.argv[2]) if len(sys.argv) > 2 else 600
    name = sys.argv[3] if len(sys.argv) > 3 else "DEMO^PATIENT"
    target.mkdir(parents=True, exist_ok=True)
    rng = random.Random(name)
    ds = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    root = f"1.2.826.0.1.3680043.8.498.{rng.randrange(1 << 60)}"
    ds.PatientName = name
    ds.PatientID = f"{rng.randrange(10**9):010}"
    ds.StudyInstanceUID = root
    ds.SeriesInstanceUID = root + ".1"
    ds.Rows = ds.Columns = ROWS
    for i in range(slices):
        ds.InstanceNumber = i + 1
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{root}.1.{i + 1}"
        ds.PixelData = pixels(rng)
        ds.save_as(target / f"{i + 1:04}.dcm")


if __name__ == "__main__":
    main()
