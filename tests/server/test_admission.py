"""Facts about scenes that a request names by the job that made them."""

import pytest
from maquette_server.engine import admission
from maquette_wire import messages
from maquette_wire.errors import UserError

DIGEST = "ab" * 32
MADE = messages.ResultItem(role="scene", name="scene.json", digest=DIGEST, size=3)


def submit(given: messages.SceneInput) -> messages.Submit:
    return messages.Submit(request_id="r", method="render", label="x", params={}, inputs=(given,), seed=0)


def test_a_scene_by_name_becomes_its_files_at_the_moment_that_was_asked_for() -> None:
    asked = submit(messages.SceneInput(scene="job", moment=40))
    found = admission.with_scenes(asked, lambda job: (MADE,) if job == "job" else ())
    (scene,) = found.inputs
    assert isinstance(scene, messages.SceneInput)
    assert scene.scene is None
    assert scene.moment == 40
    assert [(one.path, one.file.digest) for one in scene.files] == [("scene.json", DIGEST)]


def test_a_scene_that_nobody_made_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        admission.with_scenes(submit(messages.SceneInput(scene="gone")), lambda job: ())
    assert caught.value.code == "scene.unknown"
