# SPDX-License-Identifier: Apache-2.0
"""Moves in a bucket that keeps versions: what is deleted there is the old
object's version, so nothing is paid for that nobody needs (S25)."""
import pytest
from conftest import new_buckets, random_bytes, running, wait_for

TIERS = [
    {"name": "cool", "bucket": "cool"},
    {"name": "ia", "bucket": "cool", "class": "STANDARD_IA"},
]
POLICIES = ["policies:"]
for t in TIERS:
    POLICIES += [
        f"  to-{t['name']}:",
        '    file_classes: {all: {path: "/**"}}',
        f"    rules: [{{for: all, do: move, to: {t['name']}}}]",
    ]


@pytest.fixture(scope="module")
def g(s3):
    buckets = new_buckets(s3, "cool")
    s3["client"]("rem").put_bucket_versioning(
        Bucket=f"{buckets['rem']}-cool", VersioningConfiguration={"Status": "Enabled"}
    )
    with running(
        store="s3",
        s3=s3,
        trusts=("rem",),
        buckets=buckets,
        endpoint=s3["tls_endpoint"],
        ca_file=s3["ca"],
        prices="aws-eu-west-2",
        delete_after="1s",
        tiers=TIERS,
        policies=POLICIES,
    ) as gateway:
        yield gateway


def versions(g, s3):
    """Of packs in the bucket that keeps them, markers of deletions included."""
    r = s3["client"]("rem").list_object_versions(Bucket=g.bucket("rem", "cool"))
    all_of = [(v["Key"], v.get("StorageClass")) for v in r.get("Versions", [])]
    all_of += [(v["Key"], "deleted") for v in r.get("DeleteMarkers", [])]
    return [v for v in all_of if "/packs/" in v[0]]


def test_versions(g, s3):
    files = {f"f{i}": random_bytes(300000 + i, i) for i in range(4)}
    for name, data in files.items():
        (g.mount() / name).write_bytes(data)
    g.protect()
    for tier, storage_class in (("cool", "STANDARD"), ("ia", "STANDARD_IA"), ("cool", "STANDARD")):
        g.cli("tier", "run", "rem", "--policy", f"to-{tier}", "--yes")
        assert {g.info(g.mount() / name)["tier"] for name in files} == {tier}
        wait_for(
            "what was there before is deleted, for good",
            lambda: [c for _, c in versions(g, s3)] == [storage_class] * len(g.packs(tier="cool")),
            60, 0.5,
        )  # fmt: skip
        g.evict(g.mount())
        for name, data in files.items():
            assert (g.mount() / name).read_bytes() == data
    assert not g.packs()
