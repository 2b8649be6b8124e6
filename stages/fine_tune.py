"""Fine-tunes an encoder on a task's texts: ``python -m stages.fine_tune sentiment minilm``.

Killed at any point, the next run goes on from the last checkpoint and ends with the same weights.
How fast it went is written to ``data/measured/``: time differs from run to run, so no hash covers
that file.
"""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
from pathlib import Path

from stages.fine_tuning.params import FineTuneParams
from stages.runner import imports
from stages.runner.declare import Stage
from stages.shared.storage import write_json

CURVES = "data/candidates/{task}/{encoder}/curves"
STAGE = Stage(
    verb="fine_tune",
    desc="Fine-tune {encoder} on {task} and predict every row out of fold",
    params=FineTuneParams,
    over=("task", "encoder"),
    effort=20,
    deps=(
        "data/prepared/{task}/train.parquet",
        "data/prepared/{task}/validation.parquet",
        "data/prepared/{task}/schema.json",
        "data/validated/{task}/verdict",
        "{weights}",
    ),
    outs=(
        "data/candidates/{task}/{encoder}/model.joblib",
        "data/candidates/{task}/{encoder}/out_of_fold.parquet",
        "data/candidates/{task}/{encoder}/candidate.json",
        CURVES,
    ),
    measures=("data/measured/{task}/{encoder}.json",),
    scratch=("data/checkpoints/{task}/{encoder}",),
)


def main(task: str, encoder: str) -> None:
    """Write the fine-tuned network, its out-of-fold predictions, its curve and what it is."""
    # Here, so that who only reads the declaration, as `compose` does each time, loads no torch.
    from stages.fine_tuning import candidate
    from stages.fine_tuning.checkpoints import delete_checkpoints
    from stages.fine_tuning.planning import plan_fine_tuning, read_parts
    from stages.fine_tuning.process_group import run_processes
    from stages.fine_tuning.runner import run_jobs

    params = STAGE.load(task=task, encoder=encoder)
    hashed = STAGE.fingerprint(task=task, encoder=encoder)
    schema, parts = read_parts(Path("data/prepared", task))
    plan = plan_fine_tuning(params, schema, parts, task, encoder, hashed)
    print(f"{len(plan.jobs)} fits: {len(plan.jobs) - 1} for folds, one for all rows", flush=True)
    done = run_processes(plan.encoder.processes, plan.cuda, run_jobs, plan)
    results, curve = candidate.calibrate_and_average(plan, done.results, params.cv.repeats)
    scored = candidate.tabulate_out_of_fold(plan, results, parts, params.cv.repeats)
    model = candidate.build_model(plan, schema, results[-1])
    folder = Path("data/candidates", task, encoder)
    candidate.save_candidate(folder, model, scored, curve)
    facts = {"code": imports.hash_code("fine_tune"), "params": hashed}
    described = {"model": encoder, **candidate.describe_candidate(plan, model), **facts}
    write_json(folder / "candidate.json", described)
    write_json(Path("data/measured", task, f"{encoder}.json"), done.measured)
    delete_checkpoints(plan.folder)  # nothing is unfinished any more


if __name__ == "__main__":
    STAGE.run(main)
