"""Facts about one step of Latent-Paint, on tiny checkpoints with random weights."""

import dataclasses

import numpy as np
import pytest
import tiny_models
import torch
import trimesh
from maquette_server.cameras import sampling
from maquette_server.guidance import denoiser as denoising
from maquette_server.guidance import loading, score_distillation, text
from maquette_server.methods.latent_paint import LatentPaintParams, painting, start
from maquette_server.methods.latent_paint import settings as deciding
from maquette_server.rasterise import choose
from maquette_server.rendering import surface_view, texture
from maquette_server.training import backgrounds, seeds, viewpoints
from maquette_wire.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["stable_diffusion_like", "pocket_like"])
def model(request, tmp_path_factory) -> loading.TextToImage:
    folder = getattr(tiny_models, request.param)(tmp_path_factory.mktemp("model") / request.param)
    return loading.load(str(folder), "cpu", "text_to_image")


@pytest.fixture(scope="module")
def ball() -> surface_view.UnwrappedSurface:
    mesh = trimesh.creation.icosphere(subdivisions=2)
    count = len(mesh.faces)
    row = int(np.ceil(np.sqrt(count)))
    cell = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]], np.float32)
    place = np.stack([np.arange(count) % row, np.arange(count) // row], -1).astype(np.float32)
    positions = (mesh.vertices * 0.6 + (0, 0.25, 0)).astype(np.float32)
    return surface_view.UnwrappedSurface.of(
        positions, mesh.faces.astype(np.int32), (place[:, None] + cell) / row
    )


def make(model, ball, *, preset: str = "standard", count: int = 4, **params) -> painting.Painting:
    chosen = deciding.resolve(
        LatentPaintParams(prompt="a red ball", preset=preset, **params), model.described
    )
    rasteriser = choose.make("embree", ball.positions, ball.triangles)
    side = chosen.texture_latents
    behind = backgrounds.make(
        chosen.background, model.latent_rgb, CPU, seeds.torch_generator(0, "background", CPU), "embree"
    )
    views = []
    pool = sampling.stratified_pool(count, seeds.generator(0, "camera"), size=model.sample_size)
    for view in pool:
        seen = surface_view.view(
            rasteriser, ball, view.camera, side,
            samples=2, filter="nearest" if preset == "parity" else "mip", border="repeat",
            levels=painting.levels(chosen), device=CPU,
        )  # fmt: skip
        views.append(painting.PaintView(seen, view.word, behind.prepare(view.camera)))
    embeddings = [
        torch.cat([model.text.embed(""), e]) for e in model.text.with_words("a red ball", sampling.VIEW_WORDS)
    ]
    return painting.Painting(
        torch.randn(1, model.channels, side, side, generator=torch.Generator().manual_seed(5)),
        score_distillation.Guidance(model.denoiser, chosen.guidance_scale, chosen.weighting, chosen.form),
        viewpoints.Pool(views, seeds.generator(0, "deal")),
        embeddings,
        behind,
        chosen,
        seed=0,
        spread=None,
        paintable=None,
    )


def test_sizes_follow_the_model(model):
    chosen = deciding.resolve(LatentPaintParams(prompt="x"), model.described)
    assert chosen.texture_latents == 2 * model.sample_size
    assert chosen.bake_latents == model.sample_size
    assert model.text.max_tokens == (77 if model.factor == 8 else 32)


def test_without_a_file_of_its_own_a_model_gets_stable_diffusions_defaults(model):
    chosen = deciding.resolve(LatentPaintParams(prompt="x"), model.described)
    assert (chosen.guidance_scale, chosen.weighting, chosen.anneal) == (
        100,
        "sqrt_alpha_one_minus_alpha",
        "linear",
    )
    parity = deciding.resolve(LatentPaintParams(prompt="x", preset="parity"), model.described)
    assert (parity.steps, parity.learning_rate, parity.timesteps) == (5000, 0.01, (0.02, 0.98))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timesteps", [5, 9]),
        ("timesteps", [0.9, 0.1]),
        ("learning_rate", 1e9),
        ("views_per_step", 10**6),
        ("background", "sky"),
        ("steps", {"standard": 10**9}),
    ],
)
def test_a_models_own_numbers_are_bound_like_the_artists(model, name, value):
    described = dataclasses.replace(model.described, settings={"paint": {name: value}})
    with pytest.raises(UserError, match=r"maquette\.json") as caught:
        deciding.resolve(LatentPaintParams(prompt="x"), described)
    assert caught.value.code == "model.bad"


def test_the_texture_gradient_is_the_adjoint_of_the_view_of_the_guidance_gradient(model, ball):
    work = make(model, ball, views_per_step=1, background="flat", guidance_scale=7.5)
    kept = {}
    real = score_distillation.Guidance.gradient

    def spy(self, latents, timesteps, noise, embeddings):
        kept["args"] = (latents, timesteps, noise, embeddings)
        kept["gradient"] = real(self, latents, timesteps, noise, embeddings)
        return kept["gradient"]

    view = work._views._views[0]
    work._views = viewpoints.Pool([view], seeds.generator(0, "one"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score_distillation.Guidance, "gradient", spy)
        before = work.texture.detach().clone()
        work.advance(0)
    latents, t, noise, embeddings = kept["args"]
    # the same latents through the same guidance give the same gradient, whichever scene they come from
    guidance = score_distillation.Guidance(model.denoiser, 7.5)
    assert torch.equal(guidance.gradient(latents, t, noise, embeddings), kept["gradient"])
    abar = model.denoiser.alphas_cumprod[t]
    z_t = denoising.noisy(latents, noise, abar)
    both = [model.denoiser.predict_noise(z_t, t, e) for e in embeddings.chunk(2)]
    bracket = both[0] + 7.5 * (both[1] - both[0]) - noise
    expected = score_distillation.weight(abar, "sqrt_alpha_one_minus_alpha").reshape(-1, 1, 1, 1) * bracket
    torch.testing.assert_close(kept["gradient"], expected, rtol=1e-3, atol=1e-5)
    # and the texture receives its adjoint
    side = before.shape[-1]
    parameter = before.clone().requires_grad_()
    table = texture.pyramid(parameter[0], texture.level_count(side))
    pixels = view.surface.lookup.render(table)
    pixels.backward(kept["gradient"][0].flatten(1).T)
    torch.testing.assert_close(work._deviation.grad, parameter.grad)


def test_the_first_adam_step_moves_touched_texels_by_the_rate_and_no_others(model, ball):
    work = make(model, ball, preset="parity")
    before = work.texture.detach().clone()
    work.advance(0)
    moved = (work.texture.detach() - before).abs()
    touched = work._deviation.grad != 0
    assert touched.any()
    assert not touched.all()
    assert float(moved[~touched].max()) == 0
    torch.testing.assert_close(moved[touched], torch.full_like(moved[touched], 0.01), rtol=2e-3, atol=1e-6)


def test_a_painting_goes_on_from_its_state_bit_for_bit(model, ball):
    whole = make(model, ball, background="mix")
    for step in range(6):
        whole.advance(step)
    first = make(model, ball, background="mix")
    for step in range(3):
        first.advance(step)
    state = first.state()
    second = make(model, ball, background="mix")
    second.restore(state)
    for step in range(3, 6):
        second.advance(step)
    assert torch.equal(whole.texture, second.texture)


def test_texels_that_may_not_be_painted_never_move(model, ball):
    work = make(model, ball)
    side = work.texture.shape[-1]
    keep = torch.zeros(side * side)
    keep[: side * side // 2] = 1
    work._paintable = keep
    before = work.texture.detach().clone()
    work.advance(0)
    lower = work.texture.detach()[..., side // 2 :, :] - before[..., side // 2 :, :]
    assert float(lower.abs().max()) == 0
    assert not torch.equal(work.texture, before)


def test_the_start_has_the_mean_and_spread_of_the_released_code():
    made = start.released(4, 128, torch.Generator().manual_seed(0), CPU)
    expected = 0.3 * torch.tensor([1.550878, 0.075541, -2.197213, -0.491979])
    torch.testing.assert_close(made.mean((0, 2, 3)), expected, atol=0.01, rtol=0)
    torch.testing.assert_close(made.std((0, 2, 3)), torch.full((4,), 0.4), atol=0.01, rtol=0)


def test_a_latent_texture_decodes_to_its_factor_in_zero_to_one(model):
    latents = torch.randn(1, 4, 16, 16)
    with torch.no_grad():
        rgb = model.bridge.to_rgb(latents)
    assert rgb.shape == (1, 3, 16 * model.factor, 16 * model.factor)
    assert 0 <= float(rgb.min()) <= float(rgb.max()) <= 1


def test_the_scaling_is_applied_exactly_once_each_way(model):
    bridge = model.bridge
    taken = {}

    class Identity:
        def decode(self, z, return_dict):
            taken["z"] = z
            return (z,)

        def encode(self, x):
            return type("Encoded", (), {"latents": x})()

    identity = type(bridge)(Identity(), scaling=0.18215, shift=0.0, channels=3, factor=1, dtype=torch.float32)
    rgb = torch.rand(1, 3, 4, 4)
    latents = identity.to_latents(rgb)
    torch.testing.assert_close(latents, (rgb * 2 - 1) * 0.18215)
    torch.testing.assert_close(identity.to_rgb(latents), rgb)
    torch.testing.assert_close(taken["z"], latents / 0.18215)


def test_a_long_prompt_never_loses_the_view_word(model):
    prompt = "a red ball with very many stripes " * 12
    kept, lost = model.text.cut(prompt, sampling.VIEW_WORDS)
    assert kept
    assert lost
    embedded = model.text.with_words(prompt, ["front", "back"])
    assert not torch.equal(embedded[0], embedded[1])


def test_what_was_cut_from_a_prompt_is_quoted(model):
    said = []
    model.text.remark("red " * 90, sampling.VIEW_WORDS, lambda code, sentence: said.append((code, sentence)))
    assert said[0][0] == "prompt.cut"
    assert "red" in said[0][1]


def test_a_negative_prompt_that_is_too_long_is_cut_with_a_warning_that_quotes_the_rest(model):
    room = model.text.max_tokens - 2
    said = []
    model.text.remark("red", (), lambda code, sentence: said.append((code, sentence)), "blue " * room)
    assert said == []
    negative = "blue " * room + "green yellow"
    model.text.remark("red", (), lambda code, sentence: said.append((code, sentence)), negative)
    ((code, sentence),) = said
    assert code == "prompt.cut"
    assert sentence.startswith("The negative prompt")
    assert '"green yellow"' in sentence
    torch.testing.assert_close(model.text.embed(negative), model.text.embed("blue " * room))


@pytest.mark.parametrize(
    "name", sorted({"one", "one_minus_alpha", "sqrt_alpha_one_minus_alpha", "sigma_ratio"})
)
def test_every_weighting_gives_a_finite_gradient_at_both_ends(model, name):
    guidance = score_distillation.Guidance(model.denoiser, 15.0, name)
    n = model.sample_size
    z = torch.randn(2, 4, n, n)
    t = torch.tensor([20, 980])
    e = torch.cat([model.text.embed("")] * 2 + [model.text.embed("red")] * 2)
    assert bool(torch.isfinite(guidance.gradient(z, t, torch.randn_like(z), e)).all())


@pytest.mark.parametrize("prompt", ["\u7ea2" * 200, "red-" * 100, "x" * 500])
def test_a_prompt_without_spaces_is_cut_within_a_word(model, prompt):
    kept, lost = model.text.cut(prompt, sampling.VIEW_WORDS)
    assert kept
    assert lost
    assert kept + lost == prompt
    whole = model.text._pieces(f"{kept}, overhead view")
    assert len(whole) + 2 <= model.text.max_tokens


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("a red ball", None),
        ("two shiny red balls", '"two"'),
        ("a Red accordion on a türkis ball", '"accordion", "türkis"'),
        ("zxqv wbrkl", "none of the words"),
        ("one two three four five six seven red", '"one", "two", "three", "four", "five" and 2 more'),
        ("", None),
    ],
)
def test_words_that_the_model_does_not_know_are_named(model, prompt, says):
    known = frozenset(["a", "on", "red", "ball", "shiny"])
    encoder = text.TextEncoder(model.text._tokenizer, model.text._model, known)
    said = []
    encoder.remark(prompt, (), lambda code, sentence: said.append((code, sentence)))
    assert [code for code, _ in said] == ([] if says is None else ["prompt.unknown"])
    assert says is None or says in said[0][1]


def test_a_model_without_a_word_list_warns_of_no_word(model):
    said = []
    text.TextEncoder(model.text._tokenizer, model.text._model, frozenset()).remark(
        "zxqv", (), lambda code, sentence: said.append(code)
    )
    assert said == []
