"""What MLflow's pages show of a registered task, asked for as the pages ask for it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from commands.registry import register
from commands.registry.descriptions import LONGEST, cut, pick_sections
from commands.registry.store import registry
from stages.shared.storage import read_json, sha256
from tests.support.registry_fixtures import TASK


@dataclass(frozen=True)
class Page:
    """The experiment, its only run, that run's logged model, and the version made of it."""

    experiment: Any
    run: Any
    model: Any
    registered: Any
    version: Any
    curve: list[tuple[int, float]]
    files: set[str]


def read_page() -> Page:
    with registry() as store:
        client, experiment = store.client, store.experiment(TASK)
        (run,) = client.search_runs([experiment])
        (model,) = client.search_logged_models([experiment])
        curve = client.get_metric_history(run.info.run_id, "validation.loss")
        folders = [None, "plots"]
        return Page(
            client.get_experiment(experiment),
            run,
            model,
            client.get_registered_model(TASK),
            client.get_model_version(TASK, "1"),
            [(point.step, point.value) for point in curve],
            {
                file.path
                for folder in folders
                for file in client.list_artifacts(run.info.run_id, folder)
            },
        )


@pytest.fixture
def page(world: Path) -> Page:
    assert world == Path.cwd()
    register.register(TASK)
    return read_page()


def test_an_experiment_is_of_machine_learning_and_says_what_it_is_about(page: Page) -> None:
    """Without its kind MLflow takes an experiment for one of agents, and shows 0 traces."""
    tags = page.experiment.tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    assert "## What it predicts" in tags["mlflow.note.content"]


def test_a_run_has_the_params_it_was_fitted_with(page: Page) -> None:
    assert page.run.info.status == "FINISHED"
    assert page.run.data.params["estimator.max_iter"] == "500"  # as the world fits it
    assert page.run.data.params["cv.folds"] == "3"


def test_a_run_has_the_test_scores_with_their_intervals(page: Page) -> None:
    test = read_json(Path("data/evaluated/demo/metrics.json"))["roc_auc"]
    metrics = page.run.data.metrics
    assert metrics["test.roc_auc"] == test["value"]
    assert (metrics["test.roc_auc.low"], metrics["test.roc_auc.high"]) == (
        test["low"],
        test["high"],
    )


def test_a_curve_has_its_steps(page: Page) -> None:
    assert page.curve == [(50, 0.8), (100, 0.6)]


def test_a_run_names_what_it_came_from(page: Page) -> None:
    tags = page.run.data.tags
    assert tags["mlflow.source.git.commit"] == "a" * 40
    assert tags["dvc.lock.sha256"] == "b" * 64
    assert (tags["task"], tags["problem"]) == (TASK, "classification")
    manifest = read_json(Path("models/demo/manifest.json"))
    assert tags["data.test.sha256"] == manifest["hashes"]["data"]["test"]
    assert tags["mlflow.source.name"] == "dvc repro evaluate-demo"


def test_a_run_says_why_its_model_is_the_champion(page: Page) -> None:
    note = page.run.data.tags["mlflow.note.content"]
    assert note.startswith("Champion. ")
    assert "Cross-validated roc_auc: " in note


def test_a_run_holds_its_files(page: Page) -> None:
    assert {"candidate.json", "evaluation.json", "card.md", "results.md"} <= page.files
    assert {"plots/roc.json", "plots/confusion.json"} <= page.files


def test_a_run_has_the_tables_it_read(page: Page) -> None:
    inputs = page.run.inputs.dataset_inputs
    found = {table.dataset.name: (table.dataset.digest, table.tags[0].value) for table in inputs}
    folder = Path("data/prepared/demo")
    assert found == {
        f"demo-{split}": (sha256(folder / f"{split}.parquet")[:32], context)
        for split, context in (
            ("train", "training"),
            ("validation", "training"),
            ("test", "testing"),
        )
    }
    for table in inputs:
        path = Path(json.loads(table.dataset.source)["uri"])
        assert json.loads(table.dataset.profile)["num_rows"] == len(pd.read_parquet(path))


def test_a_model_is_linked_to_run_and_version(page: Page) -> None:
    assert [output.model_id for output in page.run.outputs.model_outputs] == [page.model.model_id]
    assert page.model.source_run_id == page.run.info.run_id
    assert page.version.source == page.model.artifact_location
    assert page.version.run_id == page.run.info.run_id
    assert page.model.tags["mlflow.modelVersions"] == '[{"name": "demo", "version": "1"}]'
    assert str(page.model.status) == "READY"


def test_a_models_metrics_say_on_which_table(page: Page) -> None:
    tables = {metric.key: metric.dataset_name for metric in page.model.metrics}
    assert tables["cv.roc_auc"] == "demo-train"
    assert tables["test.roc_auc"] == "demo-test"
    assert tables["validation.loss"] == "demo-validation"


def test_model_and_version_are_described_from_the_card(page: Page) -> None:
    card = Path("models/demo/README.md").read_text()
    for text in (page.registered.description, page.version.description):
        assert text.splitlines()[0] == card.splitlines()[0]
    assert "## Intended use and limits" in page.registered.description
    assert "## The champion: " in page.version.description
    assert "| roc_auc |" in page.version.description.replace("\\_", "_")


def test_registering_again_changes_nothing(page: Page) -> None:
    register.register(TASK)
    again = read_page()
    assert dict(again.run.data) == dict(page.run.data)
    assert again.version.last_updated_timestamp == page.version.last_updated_timestamp
    assert len(again.run.inputs.dataset_inputs) == 3


def test_a_long_description_is_cut_between_lines() -> None:
    text = cut("\n".join(["a line of some length"] * 1_000))
    assert len(text) <= LONGEST
    assert set(text.splitlines()) == {"a line of some length", "…"}


def test_sections_are_picked_by_how_their_headings_begin() -> None:
    card = "# Title\n\nnote\n\n## One: x\n\n1\n\n## Two\n\n2\n\n## One more\n\n3\n"
    assert pick_sections(card, ("One",)) == "# Title\n\n## One: x\n\n1\n\n## One more\n\n3"
