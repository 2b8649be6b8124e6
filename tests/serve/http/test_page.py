"""The page at / and the docs, used in a real browser as a person would."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from serve.http.keys import new_key
from tests.support.explained_models import (
    EVIL,
    EVIL_LABELS,
    EVIL_ROW,
    EVIL_SCRIPT,
    MEAN,
    SCORE,
    write_evil,
    write_explained_heart,
)
from tests.support.serve_models import HEART_ROW, HEART_VECTOR, write_housing
from tests.support.serving import Server, server_process

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
STATIC = Path("serve/http/static")
MISSING = "no Chromium here: apt-get install chromium"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Heart and a task of scripts, both explained; housing is not."""
    folder = tmp_path_factory.mktemp("models")
    write_explained_heart(folder)
    write_housing(folder)
    write_evil(folder)
    return folder


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[Server]:
    with server_process(models, default_task="heart") as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """What a page asked for, and what it complained of."""

    def __init__(self, page: Page) -> None:
        self.urls: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self._note(line.text))

    def _note(self, text: str) -> None:
        if "Failed to load resource" not in text:  # a refusal by the API is no fault of the page
            self.complaints.append(text)


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A page of its own; it may load nothing from elsewhere, and complain of nothing."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(10_000)
        watched = Watched(page)
        yield page
        elsewhere = [url for url in watched.urls if not url.startswith((server.url, "data:"))]
        assert elsewhere == []
        assert watched.complaints == []


def open_task(page: Page, server: Server, task: str) -> None:
    page.goto(f"{server.url}/#{task}")
    expect(page.locator("#example")).to_be_enabled()


def ask(page: Page, server: Server, task: str) -> None:
    """Open a task, take its example, and wait for the answer."""
    open_task(page, server, task)
    page.get_by_role("button", name="Fill in an example").click()
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#result .answer")).to_be_visible()


def sent(page: Page) -> Any:
    """Press the button and return the row that the page sends."""
    with page.expect_request(re.compile("explain|predict")) as request:
        page.get_by_role("button", name="Predict").click()
    return json.loads(request.value.post_data or "")


# Asking


def test_an_address_that_names_no_task_shows_the_first(page: Page, server: Server) -> None:
    for address in ("#%", "#%E0%A4%A", "#nothing"):
        page.goto("about:blank")
        page.goto(f"{server.url}/{address}")
        page.locator("#predict").wait_for()
        assert page.locator("#notice").is_hidden()


def test_the_example_is_answered_with_label_and_probabilities(page: Page, server: Server) -> None:
    ask(page, server, "heart")
    answer = httpx.post(f"{server.url}/predict/heart", json=HEART_ROW).json()["predictions"][0]
    expect(page.locator("#result .answer")).to_have_text(answer["label"])
    for label, probability in answer["probabilities"].items():
        row = page.get_by_role("row", name=re.compile(f"^{label}"))
        expect(row).to_contain_text(f"{probability:.3f}")
    expect(page.get_by_text("ill is answered from 0.300 on")).to_be_visible()


def test_contributions_are_drawn_with_their_sign_the_largest_first(
    page: Page, server: Server
) -> None:
    ask(page, server, "heart")
    contributions = SCORE * (HEART_VECTOR - MEAN)
    names = [list(HEART_ROW)[i] for i in abs(contributions).argsort()[::-1]]
    rows = page.locator(".effects tr")
    found = [rows.nth(i).locator(".name").inner_text() for i in range(rows.count())]
    assert found == names
    for i, name in enumerate(names):
        contribution = contributions[list(HEART_ROW).index(name)]
        sign = "+" if contribution > 0 else "−"  # noqa: RUF001 - a real minus
        number = rows.nth(i).locator(".number").inner_text()
        assert number[0] == sign
        assert float(number[1:]) == pytest.approx(abs(contribution), rel=5e-3)
        kind = "raises" if contribution > 0 else "lowers"
        assert rows.nth(i).locator(f".bar.{kind}").count() == 1


def test_bars_are_as_long_as_their_numbers(page: Page, server: Server) -> None:
    ask(page, server, "heart")
    boxes = page.locator(".effects .bar").evaluate_all(
        "bars => bars.map(bar => bar.getBoundingClientRect().width)"
    )
    sizes = sorted(abs(SCORE * (HEART_VECTOR - MEAN)), reverse=True)
    ratios = [box / size for box, size in zip(boxes, sizes, strict=True) if box > 5]
    assert len(ratios) > 2
    assert max(ratios) == pytest.approx(min(ratios), rel=0.03)


def test_a_value_comes_with_unit_and_interval(page: Page, server: Server) -> None:
    ask(page, server, "housing")
    expect(page.locator("#result .answer")).to_have_text("90,000 US dollars of 1990")
    expect(page.get_by_text("90 % of true values lie between 65,000 and 115,000")).to_be_visible()
    expect(page.get_by_text("no exact explanation")).to_be_visible()


def test_the_form_sends_what_was_filled_in_with_the_contracts_types(
    page: Page, server: Server
) -> None:
    open_task(page, server, "heart")
    page.get_by_label("age").fill("63")
    page.get_by_label("sex").select_option("1")
    page.get_by_label("chol").fill(" 233.5 ")
    page.get_by_label("smoker").select_option("yes")
    page.get_by_label("visit").fill("2026-11-21T08:30:00")
    page.get_by_label("thal").select_option("6")
    assert sent(page) == {**HEART_ROW, "visit": "2026-11-21T08:30"}


def test_the_example_survives_the_form(page: Page, server: Server) -> None:
    """The date loses its Z, which is what it means without."""
    open_task(page, server, "heart")
    page.get_by_role("button", name="Fill in an example").click()
    assert sent(page) == {**HEART_ROW, "visit": "2026-11-21T08:30"}


def test_an_empty_field_is_missing(page: Page, server: Server) -> None:
    open_task(page, server, "heart")
    assert sent(page) == dict.fromkeys(HEART_ROW)


def test_enter_in_a_field_asks(page: Page, server: Server) -> None:
    open_task(page, server, "housing")
    page.get_by_label("income").fill("3.5")
    page.get_by_label("ocean").select_option("INLAND")
    page.get_by_label("income").press("Enter")
    expect(page.locator("#result .answer")).to_contain_text("90,000")


def test_clear_empties_form_and_answer(page: Page, server: Server) -> None:
    ask(page, server, "heart")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_label("age")).to_have_value("")
    expect(page.locator("#result .answer")).to_have_count(0)


def test_another_task_has_another_form(page: Page, server: Server) -> None:
    ask(page, server, "heart")
    page.get_by_label("Task").select_option("housing")
    expect(page.get_by_label("income")).to_be_visible()
    expect(page.get_by_label("age")).to_have_count(0)
    expect(page.locator("#result .answer")).to_have_count(0)
    assert page.url.endswith("#housing")


def test_a_late_answer_to_another_task_is_dropped(page: Page, server: Server) -> None:
    open_task(page, server, "heart")
    page.get_by_role("button", name="Fill in an example").click()
    waiting: list[Route] = []
    page.route("**/explain/heart", lambda route: waiting.append(route))
    with page.expect_request("**/explain/heart"):
        page.get_by_role("button", name="Predict").click()
    page.get_by_label("Task").select_option("housing")
    with page.expect_response("**/explain/heart"):
        waiting[0].continue_()
    expect(page.locator("#predict")).to_be_enabled()
    expect(page.locator("#result .answer")).to_have_count(0)


# What does not fit


def test_errors_stand_beside_their_fields_and_the_first_has_the_focus(
    page: Page, server: Server
) -> None:
    open_task(page, server, "heart")
    page.get_by_role("button", name="Fill in an example").click()
    page.get_by_label("age").fill("old")
    page.get_by_label("chol").fill("9000")
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_have_text("2 values do not fit.")
    age = page.locator(".field", has=page.get_by_label("age"))
    words = 'expected an integer from 18 to 100 (years), got the text "old"'
    expect(age.locator(".error")).to_have_text(words)
    expect(page.get_by_label("age")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("age")).to_be_focused()
    expect(page.get_by_label("sex")).to_have_attribute("aria-invalid", "false")


def test_an_error_goes_once_it_is_mended(page: Page, server: Server) -> None:
    open_task(page, server, "heart")
    page.get_by_role("button", name="Fill in an example").click()
    page.get_by_label("age").fill("1e999")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".error")).to_have_count(1)
    page.get_by_label("age").fill("50")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#result .answer")).to_be_visible()
    expect(page.locator(".error")).to_have_count(0)


def test_a_warning_stands_beside_its_field_and_its_answer(page: Page, server: Server) -> None:
    open_task(page, server, "heart")
    page.get_by_role("button", name="Fill in an example").click()
    page.get_by_label("age").fill("90")
    page.get_by_role("button", name="Predict").click()
    words = "90 is outside the values trained on, from 29 to 77 (years)"
    expect(page.locator(".field .warning")).to_have_text(words)
    expect(page.locator("#result .warning")).to_have_text(f"age: {words}")


def test_a_server_that_is_gone_is_told(page: Page, server: Server) -> None:
    open_task(page, server, "heart")
    page.route("**/explain/*", lambda route: route.abort())
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_contain_text("the server cannot be reached")


# Safety


def test_scripts_in_names_and_texts_stay_texts(page: Page, server: Server) -> None:
    ask(page, server, "evil")
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("dose").fill(EVIL)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".error").first).to_contain_text("<img src=x")
    assert page.evaluate("window.owned") is None
    assert page.locator("body img, body script, body b").count() == 0
    expect(page.locator(".hint", has_text=EVIL_SCRIPT)).to_have_count(1)
    assert page.title().startswith(EVIL)


def test_with_several_scores_a_list_chooses_whose(page: Page, server: Server) -> None:
    ask(page, server, "evil")
    expect(page.locator("#result .answer")).to_have_text(EVIL_LABELS[1])
    whose = page.get_by_label("Score of")
    assert whose.locator("option").all_inner_texts() == list(EVIL_LABELS)
    expect(page.locator(".effects .number").first).to_have_text("+2.00")
    whose.select_option(EVIL_LABELS[0])
    expect(page.locator(".effects .number").first).to_have_text("0.00")
    answer = httpx.post(f"{server.url}/explain/evil", json=EVIL_ROW).json()
    probability = answer["explanations"][0]["scores"][0]["answer"]
    expect(page.locator(".effects caption")).to_contain_text(f"a probability of {probability:.3f}")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_script_in_the_page_would_not_run(path: str, browser: Browser, server: Server) -> None:
    policy = httpx.get(f"{server.url}{path}").headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{server.url}{path}")
        page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.owned = 1";
                document.body.append(script);
            }"""
        )
        assert page.evaluate("window.owned") is None


def test_the_page_asks_for_a_key_and_keeps_it_nowhere(models: Path, browser: Browser) -> None:
    key, line = new_key(["predict"])
    with (
        server_process(models, default_task="heart", api_keys=line) as server,
        browser.new_context() as context,
    ):
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator("#workplace")).to_be_hidden()
        page.get_by_label("API key").fill("wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_role("alert")).to_contain_text("send an API key that is valid here")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_role("button", name="Predict")).to_be_visible()
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.locator("#example")).to_be_enabled()
        page.get_by_role("button", name="Fill in an example").click()
        page.get_by_role("button", name="Predict").click()
        expect(page.locator("#result .answer")).to_be_visible()
        kept = "[localStorage.length, sessionStorage.length, document.cookie, location.href]"
        assert page.evaluate(kept) == [0, 0, "", f"{server.url}/#heart"]
        assert key not in page.content()


# For everybody


def test_every_control_has_a_name_and_says_what_it_takes(page: Page, server: Server) -> None:
    open_task(page, server, "heart")
    for name in HEART_ROW:
        control = page.get_by_label(name, exact=False)
        expect(control).to_have_count(1)
        described = control.get_attribute("aria-describedby") or ""
        assert page.locator(f"#{described.split()[0]}").count() == 1
    expect(page.locator("#about-0")).to_have_text("18 to 100")
    expect(page.locator("#about-2")).to_have_text("80 to 700 · may be empty")


@pytest.mark.parametrize("task", ["heart", "housing", "evil"])
def test_a_narrow_screen_scrolls_in_one_direction_only(
    task: str, browser: Browser, server: Server
) -> None:
    with browser.new_context(viewport={"width": 340, "height": 700}) as context:
        page = context.new_page()
        ask(page, server, task)
        assert page.evaluate("document.documentElement.scrollWidth") <= 340


@pytest.mark.parametrize("width", [340, 900, 1280])
def test_no_input_reaches_beyond_its_field(width: int, browser: Browser, server: Server) -> None:
    with browser.new_context(viewport={"width": width, "height": 700}) as context:
        page = context.new_page()
        open_task(page, server, "heart")
        for field in page.locator(".field").all():
            around, inside = field.bounding_box(), field.locator(".control").bounding_box()
            assert around
            assert inside
            assert inside["x"] + inside["width"] <= around["x"] + around["width"] + 0.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("ink", "ground"),
        ("ink", "panel"),
        ("quiet", "panel"),
        ("quiet", "ground"),
        ("accent", "ground"),
        ("on-accent", "accent"),
        ("bad", "bad-ground"),
        ("warn", "warn-ground"),
    ],
)
def test_colours_contrast_as_wcag_asks(scheme: str, ink: str, ground: str) -> None:
    """At least 4.5 to 1 between text and what is behind it (WCAG 2.2, 1.4.3)."""
    light, dark = re.findall(r":root \{(.*?)\n *\}", (STATIC / "page.css").read_text(), re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6});", light))
    if scheme == "dark":
        colours |= dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6});", dark))
    bright, dim = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# The docs


def test_the_docs_try_out_an_example(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/docs")
    block = page.locator(".opblock", has=page.get_by_text("/predict/heart", exact=True))
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    expect(block.locator(".live-responses-table")).to_contain_text('"probabilities"')


def test_only_the_files_of_the_pages_are_given_out(server: Server) -> None:
    assert (
        httpx.get(f"{server.url}/static/page.js")
        .headers["content-type"]
        .startswith("text/javascript")
    )
    for name in ("../app.py", "..%2Fapp.py", "app.py", "redoc.standalone.js"):
        assert httpx.get(f"{server.url}/static/{name}").status_code == 404
