# SPDX-License-Identifier: Apache-2.0
"""Suite `study`: a CT study that is in the bucket only. README.md says how
and why."""
import dataclasses

import dicom
from lab import Target, say
from server import Line
from suite import Suite, at_least


@dataclasses.dataclass
class Counts:
    files: int = 600
    peer_files: int = 160  # of the same, rates are compared


QUICK = Counts(40, 8)
READERS = (1, 8)


class Study(Suite):
    name = "study"

    def peer_bucket(self, peer):
        return self.common_bucket()

    def prepare(self):
        say(f"storing {self.n.files} slices twice")
        here = self.work / "slices"
        paths = dicom.write_study(here, "study", self.n.files, study=7)
        for rel in paths:
            to = self.mersey.root / rel
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes((here / rel).read_bytes())
        self.mersey.g.protect(self.mersey.root / "study")
        if self.peers:
            few = paths[: self.n.peer_files]
            self.server.put_all(self.common_bucket(), few, lambda rel: (here / rel).read_bytes())

    def list_for(self, s, readers):
        """Each reader takes the next file of the series: of n readers, reader
        k has the files k, k + n, ... (the client gives each one piece of the
        list)."""
        n = self.count_for(s, self.n.files, self.n.peer_files)
        paths = dicom.names("study", self.n.files)[:n]
        here = self.work / "list"
        mine = (p for k in range(readers) for p in paths[k::readers])
        here.write_text("".join(f"{s.root / p}\n" for p in mine))
        return here, [s.root / paths[0], s.root / paths[-1]]

    def read(self, line, readers):
        words = f"{line.name}, {readers} reader{'s' if readers > 1 else ''}"
        first = readers == 1 and line.rtt_ms > 0
        speed = self.row(
            f"study, {words}", "files/s", at_least(best_peer=10) if first else ()
        )
        gets = self.row(f"study, {words}: for {self.n.files} files", "GETs", [Target("<=", 40)] if first else ())
        for run in range(self.runs):
            for s in self.rotated(run):
                files, ends = self.list_for(s, readers)
                s.cold(s.root / "study", ends)
                self.quiet()
                since = self.server.written()
                got = self.client("read", files, readers)
                self.quiet()
                self.server.written()
                sent = self.server.seen(s.bucket, since)["GET"]
                if sent == 0:
                    raise RuntimeError(f"{s.name} was not cold: it sent no GET")
                speed.add(s.name, got["ops"] / got["seconds"])
                gets.add(s.name, sent * self.n.files / got["ops"])

    def measure(self):
        self.prepare()
        for rtt_ms in (0, 20):
            with Line(self.build, self.server, rtt_ms) as line:
                for s in self.subjects:
                    s.at(line.endpoint)
                for readers in READERS:
                    say(f"reading the study, {line.name}, {readers} at once")
                    self.read(line, readers)
