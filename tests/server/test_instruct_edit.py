"""Facts about the instruction editor, with tiny random weights: what its network is given, in what order."""

import pytest
import tiny_models
import torch
from maquette_server.guidance import loading, sampling
from maquette_server.guidance.instruct_edit import InstructionEditor, Strength


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return loading.load(
        str(tiny_models.editor_like(tmp_path_factory.mktemp("editor"))), "cpu", "instruct_edit"
    )


@pytest.fixture(scope="module")
def pictures():
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))


def generators(count: int, seed: int = 5) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + k) for k in range(count)]


def result(work):
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


class Recording(torch.nn.Module):
    """A network that remembers what it was given; its answer is the true noise, or a pattern of the input."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.calls: list[tuple] = []
        self.answer = answer

    def forward(self, sample, timestep, encoder_hidden_states, return_dict=False):
        self.calls.append((sample.clone(), timestep.clone(), encoder_hidden_states.clone()))
        return (self.answer(sample, timestep),)


def editor_with(model, answer, **options) -> tuple[InstructionEditor, Recording]:
    network = Recording(answer)
    own = loading.denoising.Denoiser(
        network, model.denoiser.alphas_cumprod, "epsilon", torch.float32, model.denoiser.final_abar
    )
    changed = loading.InstructEdit(model.described, own, own, model.bridge, model.text, model.device)
    return InstructionEditor(changed, "make it red", **options), network


def test_the_three_branches_are_what_the_paper_says(model, pictures):
    editor, network = editor_with(model, lambda sample, timestep: sample[:, :4])
    conditions = editor.condition(pictures)
    result(editor.edit(pictures, conditions, Strength(7.5, 1.5, 980, 4), generators(2)))
    sample, timestep, words = network.calls[0]
    assert sample.shape == (6, 8, 8, 12)
    assert timestep.tolist() == [sampling.leading(980, 4).timesteps[0]] * 6
    for branch in (sample[:2], sample[2:4], sample[4:]):
        assert torch.equal(branch[:, :4], sample[:2, :4])
    assert torch.equal(sample[:2, 4:], conditions)
    assert torch.equal(sample[2:4, 4:], conditions)
    assert not sample[4:, 4:].any()
    told, empty = model.text.embed("make it red")[0], model.text.embed("")[0]
    assert torch.equal(words, torch.stack([told, told, empty, empty, empty, empty]))
    assert len(network.calls) == 4


def test_the_original_is_not_scaled_and_the_start_is(model):
    picture = torch.full((1, 3, 32, 32), 0.3)
    condition = model.bridge.to_condition(picture)
    scaled = model.bridge.to_latents(picture, sample=False)
    assert torch.allclose(scaled, 0.18215 * condition, atol=1e-6)


def test_one_batch_of_three_is_three_calls(model, pictures):
    condition = model.bridge.to_condition(pictures[:1])
    z = torch.randn(1, 4, 8, 12, generator=torch.Generator().manual_seed(2))
    told, empty = model.text.embed("make it red"), model.text.embed("")
    given = [(told, condition), (empty, condition), (empty, torch.zeros_like(condition))]
    when = torch.tensor([500])
    apart = [model.denoiser.predict_noise(z, when, words, picture) for words, picture in given]
    together = model.denoiser.predict_noise(
        z.repeat(3, 1, 1, 1),
        when.repeat(3),
        torch.cat([words for words, _ in given]),
        torch.cat([picture for _, picture in given]),
    )
    assert torch.allclose(together, torch.cat(apart), atol=1e-5)


def test_a_network_that_knows_the_noise_gives_the_start_back(model, pictures):
    """z_final = sqrt(abar_0) z0 + sqrt(1 - abar_0) eps, which is not quite z0."""
    noise: list[torch.Tensor] = []

    def known(sample, timestep):
        abar = model.denoiser.alphas_cumprod[timestep[0]]
        if not noise:
            noise.append((sample[:2, :4] - abar.sqrt() * start) / (1 - abar).sqrt())
        return noise[0].repeat(3, 1, 1, 1)

    editor, _ = editor_with(model, known)
    kept: list[torch.Tensor] = []
    decode = model.bridge.to_rgb
    model.bridge.to_rgb = lambda latents: kept.append(latents) or decode(latents)
    try:
        start = model.bridge.to_latents(pictures, generator=None, sample=False)
        encode = model.bridge.to_latents
        model.bridge.to_latents = lambda rgb, generator=None: encode(rgb, sample=False)
        result(editor.edit(pictures, editor.condition(pictures), Strength(7.5, 1.5, 500, 20), generators(2)))
    finally:
        del model.bridge.to_rgb, model.bridge.to_latents
    final = torch.tensor(model.denoiser.final_abar)
    expected = final.sqrt() * start + (1 - final).sqrt() * noise[0]
    assert torch.allclose(torch.cat(kept), expected, atol=1e-4)


def test_pictures_keep_their_size_whatever_it_is(model, pictures):
    editor = InstructionEditor(model, "make it red")
    found = result(
        editor.edit(pictures, editor.condition(pictures), Strength(7.5, 1.5, 600, 3), generators(2))
    )
    assert found.shape == pictures.shape
    assert 0 <= float(found.min()) <= float(found.max()) <= 1


def test_the_same_generators_give_the_same_edit_and_others_another(model, pictures):
    editor = InstructionEditor(model, "make it red")
    conditions, strength = editor.condition(pictures), Strength(7.5, 1.5, 980, 3)
    first, again, other = (
        result(editor.edit(pictures, conditions, strength, generators(2, seed))) for seed in (5, 5, 50)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_call_of_the_network_is_a_pause(model, pictures):
    editor = InstructionEditor(model, "make it red")
    work = editor.edit(pictures, editor.condition(pictures), Strength(7.5, 1.5, 980, 5), generators(2))
    assert sum(1 for _ in work) == 6


def test_edits_do_not_depend_on_who_else_is_in_the_batch(model, pictures):
    editor = InstructionEditor(model, "make it red")
    strength = Strength(2.0, 1.5, 500, 3)
    both = result(editor.edit(pictures, editor.condition(pictures), strength, generators(2)))
    alone = result(editor.edit(pictures[1:], editor.condition(pictures[1:]), strength, generators(2)[1:]))
    assert torch.allclose(both[1:], alone, atol=1e-4)


def test_shared_views_look_at_the_first_one(model, pictures):
    """The anchor attends to itself alone: two copies of its keys change nothing. The rest follow it."""
    strength, made = Strength(2.0, 1.5, 500, 3), generators
    apart, together = (InstructionEditor(model, "make it red", shared=shared) for shared in (False, True))
    conditions = apart.condition(pictures)
    separate = result(apart.edit(pictures, conditions, strength, made(2)))
    shared = result(together.edit(pictures, conditions, strength, made(2)))
    assert torch.allclose(shared[:1], separate[:1], atol=1e-4)
    assert not torch.allclose(shared[1:], separate[1:], atol=1e-4)
    other = pictures.clone()
    other[0] = 1 - other[0]
    changed = result(together.edit(other, apart.condition(other), strength, made(2)))
    assert not torch.allclose(changed[1:], shared[1:], atol=1e-4)


def test_sharing_leaves_the_network_as_it_was(model, pictures):
    strength = Strength(2.0, 1.5, 500, 2)
    plain = InstructionEditor(model, "make it red")
    before = result(plain.edit(pictures, plain.condition(pictures), strength, generators(2)))
    shared = InstructionEditor(model, "make it red", shared=True)
    result(shared.edit(pictures, shared.condition(pictures), strength, generators(2)))
    after = result(plain.edit(pictures, plain.condition(pictures), strength, generators(2)))
    assert torch.equal(before, after)


def test_lists_of_different_lengths_are_refused(model, pictures):
    editor = InstructionEditor(model, "make it red")
    with pytest.raises(ValueError, match="2 starts, 1 conditions and 2 generators"):
        next(editor.edit(pictures, editor.condition(pictures[:1]), Strength(2, 1, 500, 2), generators(2)))


def test_the_embedded_editor_recolours_a_thing():
    model = loading.load(str(tiny_models.POCKET_EDIT), "cpu", "instruct_edit")
    picture = torch.full((1, 3, 64, 64), 0.9)
    picture[:, :, 16:48, 16:48] = torch.tensor([0.2, 0.6, 0.2])[:, None, None]
    editor = InstructionEditor(model, "make it red")
    found = result(
        editor.edit(picture, editor.condition(picture), Strength(2.2, 1.15, 1000, 12), generators(1))
    )
    middle = found[0, :, 24:40, 24:40].mean((1, 2))
    assert middle[0] > 0.5
    assert middle[1] < 0.3
    assert float((found - picture)[:, :, :12].abs().mean()) < 0.05
