"""Which jobs the server tells of, by the request that asked for it. No bpy."""

from collections.abc import Callable

from .wire import link, messages


class Follows:
    """The follows of one connection."""

    def __init__(self) -> None:
        self._job_ids: dict[str, str] = {}
        """by request id"""

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._job_ids.values()

    def begin(self, talk: link.Link, job_id: str, preview_px: int) -> None:
        """Asks for what happens to a job, with previews of that many pixels; 0 asks for none."""
        wish = messages.PreviewWish(max_px=preview_px) if preview_px else None
        self._job_ids[talk.follow(job_id, wish)] = job_id

    def refused(self, request_id: str) -> str:
        """The job that a refused request was about; "" when it was no follow."""
        return self._job_ids.pop(request_id, "")

    def end(self, talk: link.Link, over: Callable[[str], bool]) -> None:
        """Jobs that are over are not asked for again after a lost connection: a server has room for some
        follows only.
        """
        for request_id, job_id in list(self._job_ids.items()):
            if over(job_id):
                talk.unfollow(job_id)
                del self._job_ids[request_id]
