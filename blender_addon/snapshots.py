"""Pictures of running jobs: of a field as they come, of a texture once its UVs are here. No bpy."""

import logging

from . import fetched, jobs
from .wire import arrays, codec, link, messages

log = logging.getLogger(__name__)


def take(
    talk: link.Link,
    here: fetched.Fetched,
    job: jobs.Job,
    body: messages.SnapshotBody,
    frames: list[codec.Part],
) -> list[jobs.PreviewArrived]:
    """Keeps the picture of a snapshot, and tells it when it can be shown.

    That of a texture needs its UVs, which are fetched once: they stay the same all along.
    """
    uvs = next((item for item in body.items if item.role == "uv"), None)
    seen, flat = body.preview, "uv" not in job.roles
    if seen is None or not (flat or uvs) or job.items or job.finished:
        return []
    if seen.dtype != "u1" or len(seen.shape) != 3 or seen.shape[2] != 4 or seen.frame >= len(frames):
        log.warning("a preview without a picture came for job %s", job.job_id)
        return []
    picture = arrays.from_bytes(seen.dtype, seen.shape, memoryview(frames[seen.frame]))
    if flat or uvs is None:
        return [jobs.PreviewArrived(job, picture, None)]
    job.picture = picture
    if job.picture_uvs is None or job.picture_uvs.digest != uvs.digest:
        job.picture_uvs = uvs
        if uvs.digest not in here:
            talk.download(uvs.digest, uvs.size)
    return ready(here, job)


def ready(here: fetched.Fetched, job: jobs.Job) -> list[jobs.PreviewArrived]:
    """The picture that waits for its UVs, if they are here."""
    uvs = job.picture_uvs
    if uvs is None or uvs.digest not in here or job.picture is None or job.items or job.finished:
        return []
    placed = arrays.from_bytes(uvs.dtype, uvs.shape, memoryview(here[uvs.digest]))
    picture, job.picture = job.picture, None
    return [jobs.PreviewArrived(job, picture, placed)]
