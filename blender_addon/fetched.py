"""The blobs that were fetched, and which of them are still needed. No bpy.

Needed are the UVs of jobs that show previews, the result of the newest job that has one (the next to be
applied), and the results that were asked for. All else stays on the server and is fetched again.
"""

from collections.abc import Iterable

from . import jobs
from .wire import messages

Data = bytes | bytearray


class Fetched:
    """Blobs by digest, and how far those on their way are."""

    def __init__(self) -> None:
        self._files: dict[str, Data] = {}
        self._received: dict[str, int] = {}
        """bytes by digest of what is on its way"""

    def __contains__(self, digest: str) -> bool:
        return digest in self._files

    def __getitem__(self, digest: str) -> Data:
        return self._files[digest]

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return sum(len(data) for data in self._files.values())

    def put(self, digest: str, data: Data) -> None:
        """Keeps a blob that came."""
        self._received.pop(digest, None)
        self._files[digest] = data

    def progress(self, digest: str, received: int) -> None:
        """So much of a blob has come."""
        self._received[digest] = received

    def fill(self, job: jobs.Job) -> None:
        """Shows on a job how far its result is, in KiB."""
        here = sum(
            item.size if item.digest in self._files else self._received.get(item.digest, 0)
            for item in job.wanted
        )
        job.stage, job.step = "fetch", here // 1024
        job.total = sum(item.size for item in job.wanted) // 1024

    def result(self, job: jobs.Job) -> dict[str, tuple[messages.ResultItem, Data]]:
        """The result of a job by name, or nothing when some of it is not here."""
        wanted = job.wanted
        found = {item.name: (item, self._files[item.digest]) for item in wanted if item.digest in self._files}
        return found if len(found) == len(wanted) else {}

    def keep(self, everything: Iterable[jobs.Job]) -> None:
        """Drops what none of these jobs, oldest first, needs any longer."""
        listed = list(everything)
        newest = next((job for job in reversed(listed) if job.items and has_result(job)), None)
        needed = {
            job.picture_uvs.digest for job in listed if job.picture_uvs is not None and not job.finished
        }
        for job in listed:
            if job is newest or job.asked or job.state == "fetching":
                needed |= {item.digest for item in job.wanted}
        self._files = {digest: data for digest, data in self._files.items() if digest in needed}


def has_result(job: jobs.Job) -> bool:
    """True for a job that succeeded on the server, whether its result is here or not."""
    return job.state in {"succeeded", "fetching"}
