"""The one exception that crosses the wire, and the closed list of its codes.

A user error has a dotted code, one sentence that names the object, one hint that says the way out, and
optionally the name of a fix that a panel can offer as a button. Everything that is not a `UserError` is a
fault of ours.
"""

CODES: dict[str, str] = {
    "address.bad": "The server address cannot be read.",
    "address.in_use": "The port is taken by another program, or by another Maquette server.",
    "address.no_answer": "No server answers at the address.",
    "address.no_keys": "A server that listens beyond this machine has no keys.",
    "blob.bad": "A transferred file does not match its digest or its size.",
    "blob.missing": "A file that a request names is not on the server.",
    "blob.too_large": "A file is larger than the server accepts.",
    "cameras.bad": "The camera path cannot be read or made.",
    "clip.missing": "The CLIP model cannot be used.",
    "data.in_use": "Another server holds the data folder.",
    "data.unusable": "The data folder cannot be used.",
    "dataset.bad": "The data set's cameras cannot be used.",
    "dataset.not_found": "There is no data set of photographs with cameras there.",
    "dataset.picture": "A picture of the data set cannot be used.",
    "device.unknown": "The asked device does not exist or cannot be used.",
    "disk.full": "The disk is full; the job keeps its checkpoint.",
    "image.bad": "The depth picture cannot be read.",
    "input.bad": "An input is missing, of the wrong kind or unreadable.",
    "job.crashed": "The worker process ended without a word.",
    "job.failed": "The job failed through a fault of ours; the log has the details.",
    "job.interrupted": "The job was interrupted and can go on from its checkpoint.",
    "job.nothing_to_keep": "The job was stopped before there was anything to keep.",
    "job.unknown": "There is no job of that id.",
    "job.wrong_state": "The job is in a state that does not allow the command.",
    "lpips.missing": "The weights that LPIPS needs are missing or cannot be used.",
    "mask.bad": "The mask cannot be used.",
    "memory.full": "The device or the machine ran out of memory.",
    "mesh.bad": "The file is not a mesh or cannot be read.",
    "mesh.degenerate": "No face of the mesh has an area.",
    "mesh.empty": "The mesh has no faces.",
    "mesh.missing": "There is no such mesh file.",
    "mesh.no_uv": "The mesh has no usable UV map where one is required.",
    "mesh.not_finite": "Some vertices are not finite numbers.",
    "mesh.too_large": "The mesh has more faces than are accepted.",
    "mesh.unwrap": "No UV map could be made for the mesh.",
    "method.unknown": "The server does not know the method.",
    "model.bad": "The model folder cannot be used.",
    "model.changed": "The job has begun with another model.",
    "model.incomplete": "The model folder lacks files.",
    "model.not_found": "There is no such model.",
    "model.pickle": "The model holds pickled weights, which are never loaded.",
    "model.shape": "The model has other channels or sizes than the method can use.",
    "offline": "Blender's online access is off and the server is on another machine.",
    "output.unusable": "The output folder cannot be written.",
    "params.bad": "A setting is out of its range or unknown.",
    "prompt.empty": "The prompt is empty.",
    "protocol.bad": "A message could not be read.",
    "protocol.mismatch": "Client and server speak different protocol numbers.",
    "quota.clients": "The server has as many clients as it accepts.",
    "quota.disk": "The data folder has reached its quota.",
    "quota.jobs": "The queue is full.",
    "rasteriser.missing": "The asked rasteriser is not installed.",
    "result.gone": "The target of the result has changed or is gone.",
    "scene.bad": "The scene folder cannot be used.",
    "scene.unknown": "There is no such scene.",
    "sculpt.empty": "Nothing has grown from the prompt.",
    "server.fault": "The server failed at a request through a fault of its own; its log has the details.",
    "server.start": "The local server could not be started.",
    "sketch.empty": "The sketch has no objects.",
    "sketch.flat": "The sketch encloses no volume.",
    "target.bad": "The selected object cannot be used.",
    "texture.bad": "The texture cannot be read.",
    "token.wrong": "The token is not the server's.",
    "video.bad": "The video cannot be read.",
    "view.late": "The picture was not ready in time, or a newer one was asked for.",
    "view.nothing": "There is nothing to look at yet.",
    "wheels.missing": "The extension's own libraries could not be loaded.",
}


class UserError(Exception):
    """Something the user can mend: `code` of `CODES`, one sentence, one hint, a fix name, a log id."""

    def __init__(self, code: str, sentence: str, *, hint: str = "", fix: str = "", log_id: str = "") -> None:
        if code not in CODES:
            raise ValueError(f"unknown error code {code!r}")
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.hint = hint
        self.fix = fix
        self.log_id = log_id

    def line(self) -> str:
        """Sentence and way out as one line of text."""
        return f"{self.sentence} {self.hint}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("user errors travel as messages, not as pickles")
