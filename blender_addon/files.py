"""Files of results that are asked for one by one, of any job that the server has. No bpy.

What is applied is fetched as a whole (`fetched`). The pictures of a scene are many, so they are asked for
singly, and asked again until they have come.
"""

from .fetched import Data
from .wire import errors, happenings, link, messages


class Files:
    """What was asked for over one connection."""

    def __init__(self) -> None:
        self._lists: dict[str, str] = {}
        """job id by request id, of lists on their way"""
        self._items: dict[str, tuple[messages.ResultItem, ...]] = {}
        """by job id"""
        self._wanted: dict[str, Data | None] = {}
        """by digest; None is on its way"""
        self._faults: dict[str, messages.Fault] = {}
        """by job id or digest"""

    def items(self, talk: link.Link, job_id: str) -> tuple[messages.ResultItem, ...] | None:
        """What a job gave; None until the answer has come. Raises UserError when it is refused."""
        self._raise(job_id)
        if job_id not in self._items and job_id not in self._lists.values():
            self._lists[talk.list_jobs(job_id)] = job_id
        return self._items.get(job_id)

    def file(self, talk: link.Link, item: messages.ResultItem) -> Data | None:
        """The bytes of a file; None until they have come. Raises UserError when they cannot be had."""
        self._raise(item.digest)
        if item.digest not in self._wanted:
            self._wanted[item.digest] = None
            talk.download(item.digest, item.size)
        return self._wanted[item.digest]

    def drop(self, digest: str) -> None:
        """The file is not needed any longer."""
        self._wanted.pop(digest, None)
        self._faults.pop(digest, None)

    def clear(self) -> None:
        """The connection is over: nothing that was asked for comes."""
        for kept in (self._lists, self._items, self._wanted, self._faults):
            kept.clear()  # type: ignore[attr-defined]

    def listed(self, one: happenings.JobsListed) -> bool:
        """Takes in a list; False when it was not asked for here."""
        job_id = self._lists.pop(one.request_id, None)
        if job_id is not None:
            self._items[job_id] = next((job.results for job in one.jobs if job.job_id == job_id), ())
        return job_id is not None

    def downloaded(self, digest: str, data: Data) -> None:
        """Keeps bytes that were asked for here."""
        if digest in self._wanted:
            self._wanted[digest] = data

    def refused(self, request_id: str, fault: messages.Fault) -> None:
        """Keeps why a list or a file does not come."""
        name = self._lists.pop(request_id, request_id)
        if name != request_id or name in self._wanted:
            self._faults[name] = fault
            self._wanted.pop(name, None)

    def _raise(self, name: str) -> None:
        """The next one to ask tries it again."""
        fault = self._faults.pop(name, None)
        if fault is not None:
            code = fault.code if fault.code in errors.CODES else "job.failed"
            raise errors.UserError(code, fault.sentence, hint=fault.hint, log_id=fault.log_id)
