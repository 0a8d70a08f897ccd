"""What a running job looks like: a bar on stderr, or one JSON object a line on stdout.

{"event": "progress", "job":, "step":, "total":, "stage":, "seconds_left":, "seconds":, "losses": {}}
{"event": "state", "job":, "state":, "sentence":}    {"event": "warning", "job":, "code":, "sentence":}
{"event": "result", "job":, "out":, "files": [], "kept":, "report": {}}    last; or "failed" (`endings`)
"""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer
from maquette_wire import messages

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from . import file_outputs

_QUIET_STATES = frozenset({"succeeded", "failed", "running"})


class Reporter:
    """Shows one job. Used as a context: the bar is taken away at the end, whatever happens."""

    def __init__(self, as_json: bool, files: "file_outputs.FileOutputs | None" = None) -> None:
        """files: where the command brings the files of a result that it does not leave in its folder."""
        self.as_json = as_json
        self._files = files
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._remarks: set[str] = set()

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def pause(self) -> None:
        """Takes the bar away; the next progress shows it again."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def remark(self, sentence: str, code: str = "", job: str = "") -> None:
        """A notice or a warning: a line on stderr, and with a code a line of JSON; each sentence once."""
        if not sentence or sentence in self._remarks:
            return
        self._remarks.add(sentence)
        if self.as_json and code:
            self._line(event="warning", job=job, code=code, sentence=sentence)
        if self._bar is not None:
            self._bar.console.print(sentence, markup=False, highlight=False)
        else:
            typer.echo(sentence, err=True)

    def body(self, job: str, body: messages.EventBody) -> None:
        """Something that happened to the job."""
        if isinstance(body, messages.ProgressBody):
            self._progress(job, body)
        elif isinstance(body, messages.WarningBody):
            self.remark(body.sentence, body.code, job)
        elif isinstance(body, messages.StateBody):
            if self.as_json:
                self._line(event="state", job=job, state=body.state, sentence=body.sentence)
            if body.sentence and body.state not in _QUIET_STATES:
                self.remark(body.sentence)

    def result(
        self, job: str, out: Path | None, files: Sequence[str], report: dict[str, Any], kept: bool = False
    ) -> None:
        """The last word of a job that was done; on stdout. out: None when nothing was fetched."""
        self.pause()
        if out is not None and self._files is not None:
            out, files = self._files.placed(out, files)
        if self.as_json:
            where = None if out is None else str(out)
            self._line(event="result", job=job, out=where, files=list(files), kept=kept, report=report)
        else:
            early = ", as far as it was when it was stopped" if kept else ""
            if out is None:
                typer.echo(f"{job}: done{early}; fetch it with maquette jobs watch {job} --out FOLDER")
            else:
                typer.echo(f"{out}: {', '.join(_listed(files))}{early}")

    def _progress(self, job: str, body: messages.ProgressBody) -> None:
        if self.as_json:
            self._line(
                event="progress",
                job=job,
                step=body.step,
                total=body.total,
                stage=body.stage,
                seconds_left=body.seconds_left,
                seconds=body.seconds,
                losses=body.losses,
            )
            return
        bar = self._bar or self._new_bar()
        if self._task is None or body.stage != self._stage:
            if self._task is not None:
                bar.remove_task(self._task)
            self._stage = body.stage
            self._task = bar.add_task(body.stage, total=body.total, left="")
        left = "" if body.seconds_left is None else f"{body.seconds_left:.0f} s left"
        bar.update(self._task, completed=body.step, total=body.total, left=left)

    def _new_bar(self) -> "Progress":
        from rich import console, progress

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            progress.TextColumn("{task.fields[left]}"),
            console=console.Console(stderr=True),
            transient=True,
        )
        self._task = None
        self._bar.start()
        return self._bar

    def _line(self, **fields: Any) -> None:
        typer.echo(json.dumps(fields))


def _listed(files: Sequence[str]) -> list[str]:
    """File names as they are told: of a folder, or of many numbered pictures, how many."""
    many = 12
    found: dict[str, list[str]] = {}
    for name in files:
        top, _, below = name.partition("/")
        group = f"{top}/" if below else name
        if not below and top.partition(".")[0].isdigit():
            group = f"*.{top.partition('.')[2]}"
        found.setdefault(group, []).append(name)
    told: list[str] = []
    for group, names in found.items():
        if group.endswith("/") or (group.startswith("*") and len(names) > many):
            told.append(f"{group} ({len(names)} files)")
        else:
            told += names
    return told
