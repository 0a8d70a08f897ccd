"""`python -m maquette_server.pocket data|train|export|judge|check`: the embedded models, from nothing.

data   renders views (Embree), learns the tokenizer, draws the pictures
train  autoencoder, then text to image, then the editor; goes on from its checkpoints
export writes the model folders of the newest checkpoints, which `train` does at its end
judge  trains the classifier of materials that `check` asks, apart from the models
check  measures weights by means of its own; fails when a figure is below its bar
"""

import argparse
import json
import os
import sys
from pathlib import Path

import torch

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # before it is imported: it talks about torchvision

from .learning import recipe
from .refusals import Refused

JUDGE_SEED = 1001  # of the shipped judge; the check measures it on another


def main(arguments: list[str] | None = None) -> int:
    """0 when all went well, 1 when a check failed, 2 when it could not be done as asked."""
    options = _parser().parse_args(arguments)
    try:
        _look_over(options)
        torch.set_num_threads(getattr(options, "threads", 1))
        return _COMMANDS[options.command](options)
    except Refused as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m maquette_server.pocket", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("data", "train", "export"):
        command = commands.add_parser(name)
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--out", type=Path, required=True, metavar="DIR")
        command.add_argument("--recipe", choices=sorted(recipe.RECIPES), default="pocket")
        command.add_argument("--device", default="cpu")
        command.add_argument("--threads", type=int, default=1)
        if name != "data":
            command.add_argument(
                "--models", type=Path, metavar="DIR", help="where the model folders go; OUT/models"
            )
            parts = ["all", "text_to_image", "instruct"]
            if name == "train":
                parts.append("autoencoder")
            command.add_argument("--part", choices=parts, default="all")
    judge = commands.add_parser("judge")
    judge.add_argument("--seed", type=int, default=JUDGE_SEED)
    judge.add_argument("--out", type=Path, required=True, metavar="DIR")
    judge.add_argument("--threads", type=int, default=1)
    check = commands.add_parser("check")
    for name in ("model", "editor", "judge"):
        check.add_argument(f"--{name}", type=Path, metavar="DIR", help="without it the shipped one")
    check.add_argument("--photographs", type=Path, metavar="DIR", help="colour photographs to edit too")
    check.add_argument("--out", type=Path, required=True, metavar="DIR")
    check.add_argument("--part", nargs="+", metavar="NAME", help="of the check; without it all")
    check.add_argument(
        "--every", type=int, default=1, metavar="N", help="only one case of N, always the same ones"
    )
    check.add_argument(
        "--noise", type=int, default=0, metavar="N", help="added to the seeds of the noise: another draw"
    )
    check.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="an earlier check.json: fail when the verdicts are others",
    )
    check.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count(),
        metavar="N",
        help="threads that share the work; without it one a core",
    )
    return parser


def _look_over(options: argparse.Namespace) -> None:
    """Raises Refused for numbers and devices that nothing can be done with, before anything is written."""
    for name in ("threads", "workers"):
        if getattr(options, name, 1) < 1:
            raise Refused(f"--{name} must be 1 or more.")
    if getattr(options, "seed", 0) < 0 or getattr(options, "noise", 0) < 0:
        raise Refused("A seed must be 0 or more.")
    device = getattr(options, "device", "cpu")
    if device.split(":")[0] not in ("cpu", "cuda"):
        raise Refused(f"There is no device '{device}'. Give cpu or cuda.")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Refused("This torch sees no CUDA device. Give --device cpu, or install a CUDA build of torch.")


def _say(figures: dict[str, object]) -> None:
    print(json.dumps(figures), flush=True)  # noqa: T201


def _data(options: argparse.Namespace) -> int:
    from .learning import data

    for figures in data.make(
        options.out, options.seed, recipe.RECIPES[options.recipe], torch.device(options.device)
    ):
        _say(figures)
    return 0


def _train(options: argparse.Namespace) -> int:
    from .learning import training

    chosen = recipe.RECIPES[options.recipe]
    for figures in training.train(
        options.out, options.seed, chosen, torch.device(options.device), options.part
    ):
        _say(figures)
    return 0 if options.part == "autoencoder" else _export(options)


def _export(options: argparse.Namespace) -> int:
    from .learning import training

    target = options.models or options.out / "models"
    chosen = recipe.RECIPES[options.recipe]
    for folder in training.export(options.out, options.seed, chosen, options.part, target):
        _say({"part": "export", "folder": str(folder)})
    return 0


def _judge(options: argparse.Namespace) -> int:
    from .checking import judge_training

    for figures in judge_training.train(options.out, options.seed):
        _say(figures)
    return 0


def _check(options: argparse.Namespace) -> int:
    from .checking import run

    figures: dict[str, object] = {}
    kit = run.shipped(options.model, options.editor, options.judge, options.photographs, options.noise)
    chosen = options.part or run.PARTS
    if options.against:
        chosen = [part for part in chosen if part != run.SHEETS]
    for figures in run.check(kit, options.out, chosen, options.every, options.workers):
        _say(figures)
    if options.against:
        other, count = run.differing(options.out, options.against)
        _say({"cases": count, "other than reported": other})
        return 1 if len(other) * 20 > count else 0  # a verdict at the edge may fall otherwise elsewhere
    return 1 if figures["met"] is False else 0


_COMMANDS = {"data": _data, "train": _train, "export": _export, "judge": _judge, "check": _check}

if __name__ == "__main__":
    sys.exit(main())
