"""The command ``handrail``: test an agent on a frozen dataset version, or post what Inspect found.

Address and key come from HANDRAIL_URL and HANDRAIL_KEY: a key on a command line is read by every process.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from handrail import eval_cases, evaluation
from handrail.client import Client
from handrail.errors import NotApproved
from handrail.eval_cases import EvalCase
from handrail.eval_progress import Progress, table
from handrail.evals import CaseResult, EvalRun, Graded
from handrail.evaluation import AgentUnderTest

DONE, MISSED, UNABLE, INTERRUPTED = 0, 1, 2, 130


class Unusable(Exception):
    """The command cannot do what it is asked; the text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 where a threshold is missed, 2 where nothing works."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:2] == ["eval", "import-inspect"]:
        given[:2] = ["import-inspect"]
    asked = _parser().parse_args(given)
    try:
        act: Callable[[argparse.Namespace], int] = asked.act
        return act(asked)
    except (Unusable, NotApproved, OSError) as refusal:
        _say(f"handrail: {refusal}")
        return UNABLE


def evaluate(asked: argparse.Namespace) -> int:
    """Run an agent on the cases of a version, post what it does, and tell how it did."""
    agent, client = agent_under_test(asked.target), _client(asked)
    run = _run(client, asked, source="handrail")
    _say(f"{run.id}: go on with --run {run.id}")
    kept = client.eval_results(run.id)
    done = {result.case for result in kept}
    cases = (case for case in _cases(client, asked) if case.id not in done)
    progress = Progress(total=run.cases_total, done=len(kept), wrong=sum(not each.passed for each in kept))
    found = evaluation.results(agent, cases, workers=asked.workers)
    return _post(client, run, evaluation.batched(found), progress, asked)


def import_inspect(asked: argparse.Namespace) -> int:
    """Post what an Inspect log says of the cases of a version."""
    from handrail import inspect_logs

    client = _client(asked)
    results = inspect_logs.results(asked.log)
    run = _run(client, asked, source="inspect")
    progress = Progress(total=run.cases_total, done=run.cases_done)
    return _post(client, run, evaluation.batched(results), progress, asked)


def agent_under_test(target: str) -> AgentUnderTest:
    """Return the callable that ``module:name`` names; the folder of the call is looked in as well."""
    module, _, name = target.partition(":")
    if not module or not name:
        raise Unusable("name the agent as module:callable, for instance agents.refunds:answer")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: object = importlib.import_module(module)
    except ImportError as problem:
        raise Unusable(f"cannot import {module}: {problem}") from problem
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise Unusable(f"{target} is nothing that can be called")
    return found


def _post(
    client: Client,
    run: EvalRun,
    batches: Iterable[list[CaseResult]],
    progress: Progress,
    asked: argparse.Namespace,
) -> int:
    refused: list[Graded] = []
    interrupted = False
    progress.advance(done=0, wrong=0)
    try:
        for batch in batches:
            run, lines = client.post_eval_results(run.id, batch)
            new = [line for line in lines if line.taken == "taken"]
            refused += [line for line in lines if line.taken in ("conflict", "not_a_case")]
            progress.advance(done=len(new), wrong=sum(not line.passed for line in new))
    except KeyboardInterrupt:
        interrupted = True
    progress.finish()
    kept = client.eval_results(run.id)
    sys.stdout.write(f"{table(kept)}\n")
    for line in refused[:10]:
        _say(f"{line.case}: {line.why}")
    if len(refused) > 10:
        _say(f"... and {len(refused) - 10} more that were not taken")
    if interrupted or run.state != "done":
        had = f"{run.cases_done} of {run.cases_total} cases have a result"
        _say(f"{had}. Go on with --run {run.id}")
    if interrupted:
        return INTERRUPTED
    return _verdict(run, asked.fail_under)


def _verdict(run: EvalRun, fail_under: float | None) -> int:
    """Say whether enough is right. A case without a result, or one that cannot be graded, is not."""
    if fail_under is None:
        return DONE
    share = run.cases_passed / run.cases_total if run.cases_total else 0.0
    if share >= fail_under:
        return DONE
    _say(f"{share:.1%} of all cases are right; {fail_under:.1%} are asked.")
    return MISSED


def _cases(client: Client, asked: argparse.Namespace) -> Iterable[EvalCase]:
    if asked.cases is not None:
        return eval_cases.from_file(asked.cases)
    return client.eval_cases(asked.version, split=asked.split)


def _run(client: Client, asked: argparse.Namespace, *, source: str) -> EvalRun:
    if asked.run:
        return client.eval_run(asked.run)
    if not asked.agent_version:
        raise Unusable("--agent-version is needed, unless --run goes on with a run")
    return client.start_eval_run(
        asked.version,
        agent_version=_version(asked.agent_version),
        split=asked.split,
        source=source,
        note=asked.note,
        idempotency_key=asked.key or uuid.uuid4().hex,
    )


def _version(given: str) -> str | Mapping[str, str]:
    """Return a label, or the object that says what stands behind it, as submissions give it."""
    if not given.lstrip().startswith("{"):
        return given
    try:
        said = json.loads(given)
    except ValueError as problem:
        raise Unusable(f"--agent-version is not JSON: {problem}") from problem
    return {str(name): str(value) for name, value in said.items()}


def _client(asked: argparse.Namespace) -> Client:
    url, key = os.environ.get("HANDRAIL_URL", ""), os.environ.get("HANDRAIL_KEY", "")
    if not url or not key:
        raise Unusable("set HANDRAIL_URL and HANDRAIL_KEY")
    try:
        return Client(url, key, timeout=asked.timeout)
    except ValueError as problem:
        raise Unusable(str(problem)) from problem


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="handrail", description=__doc__)
    acts = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--version", required=True, metavar="DSV", help="the dataset version: dsv_...")
    common.add_argument("--agent-version", metavar="V", help="a label, or a JSON object as in submissions")
    common.add_argument("--split", choices=["train", "validation", "test"], default="")
    common.add_argument("--key", default="", help="names the run: the same key goes on with it")
    common.add_argument("--run", default="", metavar="EVR", help="go on with this run")
    common.add_argument("--note", default="", help="what was changed, for whoever reads the run")
    common.add_argument("--fail-under", type=_share, metavar="SHARE", help="exit 1 below this share right")
    common.add_argument("--timeout", type=float, default=30.0, help="seconds for one request")

    run = acts.add_parser("eval", parents=[common], help="run an agent on the cases of a version")
    run.add_argument("target", metavar="MODULE:CALLABLE")
    run.add_argument("--workers", type=_workers, default=1, help="cases at a time")
    run.add_argument("--cases", type=Path, metavar="FILE", help="read the cases from an exported JSONL file")
    run.set_defaults(act=evaluate)

    log = acts.add_parser(
        "import-inspect", parents=[common], help="handrail eval import-inspect: post what an Inspect log says"
    )
    log.add_argument("log", type=Path, metavar="LOG", help="needs the extra 'inspect' of this package")
    log.set_defaults(act=import_inspect)
    return parser


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("a share is from 0 to 1")
    return share


def _workers(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("1 to 64")
    return number


if __name__ == "__main__":
    sys.exit(main())
