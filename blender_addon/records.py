"""What this Blender remembers of the jobs it sent, so that their results find their objects after a restart.

One JSON file a job in the extension's own user folder, `<job id>.json`: request id, label, prompt, target,
recipe.
"""

import json
from pathlib import Path
from typing import Any

KEPT = 100  # records; older ones are removed

Record = dict[str, Any]


class Records:
    """The folder of records. `folder` None keeps them in memory only."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._records: dict[str, Record] = {}
        if folder is not None and folder.is_dir():
            for path in sorted(folder.glob("*.json"), key=lambda p: p.stat().st_mtime):
                record = _read(path)
                if record is not None:
                    self._records[path.stem] = record

    def get(self, job_id: str) -> Record | None:
        """The record of that job, if this Blender sent it."""
        return self._records.get(job_id)

    def put(self, job_id: str, record: Record) -> None:
        """Writes a record whole or not at all. Raises OSError when the folder cannot be written."""
        self._records[job_id] = record
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f"{job_id}.part"
        unfinished.write_text(json.dumps(record), encoding="utf-8")
        unfinished.replace(self.folder / f"{job_id}.json")
        for name in list(self._records)[: max(len(self._records) - KEPT, 0)]:
            del self._records[name]
            (self.folder / f"{name}.json").unlink(missing_ok=True)


def _read(path: Path) -> Record | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # half a file of a full disk: the job is then as one sent from elsewhere
    return record if isinstance(record, dict) else None
