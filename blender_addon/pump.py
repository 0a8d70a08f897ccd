"""The one timer: lets the session and other long work go on for a moment, and mirrors on the window manager
what happened.

`tick` is a plain function, so that tests and `maquette.wait` call it where Blender's timers never fire. A
tick takes the session's budget or shows one preview, and then what drawing the rows costs.
"""

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import bpy

from . import front_arrow, jobs, live_render, props, records, session, tasks, thumbnails, unchanged
from .apply import photographs, preview
from .wire import errors, messages

log = logging.getLogger(__name__)

BUDGET = 0.006  # s of work in one tick, which may hold Blender for 16 ms: a step that was begun is finished
COLLECTING = (
    0.005  # s until the next tick while a mesh is collected or compared: soon, when Blender has drawn
)
BUSY = 0.05  # s until the next tick while something is expected
IDLE = 1.0
ROWS = 16

_session: session.Session | None = None
_picture: jobs.PreviewArrived | None = None
"""the newest preview that waits to be shown"""
_late: dict[str, str] = {}
"""request ids of the jobs whose result is applied when it has come, and what that waits for since"""
TOOL_RUNS = "It is applied when the tool that is running has ended; Apply does it now."
OTHER_MODE = "It is applied when you are in object mode; Apply does it now."


def running() -> session.Session:
    """The session of this Blender; made at its first use."""
    global _session
    if _session is None:
        folder = Path(bpy.utils.extension_path_user(__package__, path="jobs"))
        _session = session.Session(records.Records(folder), f"Blender {bpy.app.version_string}")
    return _session


def tick() -> float:
    """One turn; returns the seconds until the next."""
    global _picture
    front_arrow.hide_when_unseen()
    for window in bpy.context.window_manager.windows[:1]:
        photographs.follow(window.view_layer.objects.active)
    working = _long_work()
    if _session is None:
        return COLLECTING if working else IDLE
    try:
        with _in_a_window():  # pictures of a capture are rendered there, and a camera is the scene's
            _turn(_session)
            looking = live_render.turn(_session, bpy.context.scene)
    except Exception:
        # A timer that raises is never called again, and the panel would stand still without a word.
        log.exception("the connection failed")
        _picture, looking = None, False
        live_render.stop()
        _session.close()
        _session.pump(0.0)
        mirror_all()
        complain(_internal_fault("The connection failed through a fault of ours.", "connect"))
    _mirror_live()
    if working or _session.collecting or _picture is not None:
        return COLLECTING
    return BUSY if _session.busy or _late or looking or live_render.is_on() else IDLE


def wake() -> None:
    """Lets the next tick come at once, where the timer would be idle for up to a second."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
        bpy.app.timers.register(tick, first_interval=0.0, persistent=True)


def _long_work() -> bool:
    """Steps of what is under way besides jobs; True when there are more."""
    if tasks.running() is None:
        return False
    try:
        with _in_a_window():
            tasks.advance(time.monotonic() + BUDGET / 2)
    except errors.UserError as error:
        complain(error)
    except Exception:
        # As above: the timer must live on, and the fault be told.
        log.exception("an import or export failed")
        complain(_internal_fault("The import or export failed through a fault of ours.", ""))
    mirror_task()
    return tasks.running() is not None


def _in_a_window() -> AbstractContextManager[object]:
    """The first window as the context; a timer has none."""
    windows = bpy.context.window_manager.windows
    return bpy.context.temp_override(window=windows[0]) if len(windows) else nullcontext()


def mirror_task() -> None:
    """Shows how far the import or export is."""
    live, task = bpy.context.window_manager.maquette, tasks.running()
    live.task = task.label if task is not None else ""
    live.task_done = task.work.done / task.work.total if task is not None else 0.0
    _redraw()


def _mirror_live() -> None:
    live, on, says = bpy.context.window_manager.maquette, live_render.is_on(), live_render.says()
    if (live.live, live.live_says) != (on, says):
        live.live, live.live_says = on, says
        _redraw()


def _turn(story: session.Session) -> None:
    """Either a picture is shown, or the session works: both at once would hold Blender for too long."""
    global _picture
    if _picture is not None:
        begun = time.monotonic()
        if _show(_picture):
            _picture = None
            _redraw()
            return
        if time.monotonic() - begun > BUDGET:  # a layer was chosen, which is enough for one tick
            return
        unchanged.advance(time.monotonic() + BUDGET / 2)
    happened = story.pump(BUDGET if _picture is None else BUDGET / 2)
    for event in happened:
        if isinstance(event, jobs.PreviewArrived):
            live_render.snapshot(event.job.request_id)
            if event.uvs is None:
                thumbnails.show(event.job.request_id, event.picture)
            else:
                _picture = event  # an older one is replaced
            continue
        if isinstance(event, session.ViewArrived):
            live_render.arrived(event)
            continue
        if isinstance(event, session.ViewFailed):
            live_render.failed(event)
            continue
        mirror(event)
    for request_id in list(_late):
        _apply_late(story, request_id)
    if happened:
        _redraw()


def _show(event: jobs.PreviewArrived) -> bool:
    """False when it must be tried again, as there is more to do for it than fits into a tick."""
    if event.job.finished or event.uvs is None:
        return True
    return preview.show(event.job.record["target"], event.picture, event.uvs) is not None


def apply_when_here(job: session.Job) -> None:
    """Fetches a result that is on the server only, and applies it when it has come and the artist's hands are
    free. Raises UserError.
    """
    running().ask_result(job)
    _late[job.request_id] = ""
    wake()


def _apply_late(story: session.Session, request_id: str) -> None:
    """The same undo step as at once, and the same sentence if it cannot be."""
    job = story.jobs.get(request_id)
    if job is None or not job.asked:  # it failed, was given up, or has been applied by hand
        del _late[request_id]
    elif not job.finished:
        return
    elif _late[request_id] != (waits_for := _hindrance(job)):
        _late[request_id] = waits_for
    elif waits_for:
        return
    else:
        del _late[request_id]
        with _in_a_window():
            try:
                bpy.ops.maquette.result_apply("EXEC_DEFAULT", True, request_id=request_id)
            except RuntimeError as error:  # what the operator reports; the error line has it too
                log.info("not applied: %s", error)
        story.applied(job)
    if job is not None:
        mirror(session.JobChanged(job))
        _redraw()


def _hindrance(job: session.Job) -> str:
    """Why nothing may be applied unasked now, empty when it may: applying goes through object mode, which
    would end what the artist is doing.
    """
    if _tool_runs():
        return TOOL_RUNS
    things = {window.view_layer.objects.active for window in bpy.context.window_manager.windows} - {None}
    uid = str(job.record["target"]["uid"])
    things |= {thing for thing in bpy.data.objects if thing.maquette.uid == uid}
    return OTHER_MODE if any(thing.mode != "OBJECT" for thing in things) else ""


def _tool_runs() -> bool:
    return any(window.modal_operators for window in bpy.context.window_manager.windows)


def mirror(event: session.Event) -> None:
    """Shows one event on the window manager."""
    live = bpy.context.window_manager.maquette
    if isinstance(event, session.ModelsChanged):
        live.models.clear()
        for model in event.models:
            row = live.models.add()
            row.model, row.kind, row.default = model.name, model.kind, model.default
            row.commercial, row.notice = model.commercial, model.notice
        return
    if isinstance(event, session.ConnectionChanged):
        live.connection = event.state
        live.device = _session.device if _session is not None and event.state == "READY" else ""
        if event.fault is not None:
            complain(event.fault)
        elif event.state == "READY":
            clear()
        return
    if not isinstance(event, session.JobChanged):
        return
    job = event.job
    row = next((row for row in live.jobs if row.request_id == job.request_id), None)
    if row is None:
        row = _new_row(live, job)
    if row is not None:
        _fill(row, job)
    if job.finished:
        preview.remove(str(job.record["target"]["uid"]))


def complain(fault: messages.Fault | errors.UserError) -> None:
    """Shows the sentence of a fault or error on the error line."""
    live = bpy.context.window_manager.maquette
    live.error, live.hint, live.fix = fault.sentence, fault.hint, fault.fix


def clear() -> None:
    """Empties the error line, and what was told."""
    live = bpy.context.window_manager.maquette
    live.error = live.hint = live.fix = live.told = ""


def tell(what: str) -> None:
    """Shows what came of long work, whose button is long done."""
    bpy.context.window_manager.maquette.told = what


def mirror_all() -> None:
    """Shows the session anew, after a file was loaded: the window manager's properties are empty then."""
    if _session is None:
        return
    mirror(session.ConnectionChanged(_session.state))
    mirror(session.ModelsChanged(_session.models))
    for job in _session.jobs.values():
        mirror(session.JobChanged(job))


@bpy.app.handlers.persistent
def without_previews(*_: object) -> None:
    """Previews leave the file before it is saved, replaced or undone, and after it was undone."""
    preview.remove_all()
    live_render.withdraw()
    unchanged.forget()


@bpy.app.handlers.persistent
def without_task(*_: object) -> None:
    """What is under way refers to things that undoing replaces, so it ends, and takes back what it made."""
    task = tasks.running()
    if task is not None and tasks.cancel():
        complain(
            messages.Fault(
                code="job.interrupted",
                sentence=f"{task.label} was ended by undo, or by another file.",
                hint="Start it again.",
            )
        )
        mirror_task()


@bpy.app.handlers.persistent
def with_whole_task(*_: object) -> None:
    """What lies in the file by halves is finished before it is saved."""
    try:
        with _in_a_window():
            tasks.complete_before_save()
    except errors.UserError as error:
        complain(error)


@bpy.app.handlers.persistent
def before_load(*_: object) -> None:
    """What was asked for in this file is not applied in another."""
    for request_id in _late:
        if _session is not None and request_id in _session.jobs:
            _session.applied(_session.jobs[request_id])
    _late.clear()
    live_render.stop()
    for job in list(_session.jobs.values()) if _session is not None else []:
        if _session is not None and _session.is_read(job) and job.method != jobs.PAINT:
            _session.cancel(job.request_id)  # its pictures and cameras are read from this file


@bpy.app.handlers.persistent
def after_load(*_: object) -> None:
    """The live state comes back after a file was loaded; a preview that an automatic save kept does not."""
    preview.remove_all()
    live_render.withdraw()
    unchanged.forget()
    photographs.forget()
    mirror_all()


def _handlers() -> tuple[tuple[list[object], object], ...]:
    handlers = bpy.app.handlers
    leaving = (handlers.save_pre, handlers.load_pre, handlers.undo_pre, handlers.redo_pre)
    coming = (handlers.undo_post, handlers.redo_post)
    return (
        *((which, without_task) for which in (handlers.load_pre, handlers.undo_pre, handlers.redo_pre)),
        (handlers.save_pre, with_whole_task),
        *((which, without_previews) for which in leaving + coming),
        (handlers.load_pre, before_load),
        (handlers.load_post, after_load),
        (handlers.depsgraph_update_post, unchanged.touched),
    )


def register() -> None:
    """Starts the timer and adds the handlers."""
    bpy.app.timers.register(tick, first_interval=IDLE, persistent=True)
    for handlers, handler in _handlers():
        handlers.append(handler)


def unregister() -> None:
    """Leaves nothing behind: no timer, handler, preview or socket. Jobs go on on the server."""
    global _session, _picture
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    _picture = None
    tasks.cancel()
    photographs.forget()
    front_arrow.hide()
    unchanged.forget()
    for handlers, handler in _handlers():
        if handler in handlers:
            handlers.remove(handler)
    preview.remove_all()
    live_render.stop()
    thumbnails.clear()
    if _session is not None:
        _session.close()
        _session = None
    _late.clear()
    for manager in bpy.data.window_managers:  # what lies there stays when its properties are taken away
        manager.maquette.jobs.clear()
        manager.maquette.models.clear()
        manager.maquette.connection = "OFF"
        manager.maquette.task = manager.maquette.live_says = manager.maquette.told = ""
        manager.maquette.live = False
        manager.maquette.error = manager.maquette.hint = manager.maquette.fix = ""


def _new_row(live: props.MAQUETTE_PG_live, job: session.Job) -> props.MAQUETTE_PG_job | None:
    """A row at the job's place, newest first; None when the job is too old for the short list."""
    order = {name: number for number, name in enumerate(reversed(running().jobs))}
    place = sum(order.get(row.request_id, ROWS) < order[job.request_id] for row in live.jobs)
    live.jobs.add().request_id = job.request_id
    live.jobs.move(len(live.jobs) - 1, place)
    if place == 0:
        live.active = 0
    while len(live.jobs) > ROWS:
        live.jobs.remove(len(live.jobs) - 1)
    return live.jobs[place] if place < len(live.jobs) else None


def _fill(row: props.MAQUETTE_PG_job, job: session.Job) -> None:
    row.job_id, row.label, row.state, row.method = job.job_id, job.label, job.state, job.method
    row.prompt = str(job.record.get("prompt", ""))
    row.stage, row.step, row.total = job.stage, job.step, job.total
    row.seconds_left = -1.0 if job.seconds_left is None else job.seconds_left
    row.warnings = "\n".join(job.warnings)
    row.sentence = job.fault.sentence if job.fault is not None else _late.get(job.request_id, "")
    row.hint = job.fault.hint if job.fault is not None else ""
    row.has_result = job.state == "succeeded"


def _internal_fault(sentence: str, fix: str) -> messages.Fault:
    hint = "Blender's console has the details; jobs go on on the server."
    return messages.Fault(code="job.failed", sentence=sentence, hint=hint, fix=fix)


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
