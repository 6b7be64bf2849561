"""The pages in a real browser: from the jobs to a job to its result, with keyboard and eyes on what must not happen."""

import re
from typing import TYPE_CHECKING

import pytest

from search.trial import Measurement, Outcome, TrialState
from tests.browser.conftest import Running, Seen

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.e2e


def focused(page: "Page", *, most: int = 60) -> list[str]:
    """What the Tab key reaches, in order, as the text or label of each element."""
    told = "e => (e.getAttribute('aria-label') || e.labels?.[0]?.firstChild.textContent || e.innerText || '').trim()"
    names = []
    for _ in range(most):
        page.keyboard.press("Tab")
        names.append(str(page.evaluate(f"({told})(document.activeElement)")))
    return names


def test_from_the_jobs_to_a_result(running: Running, seen: Seen) -> None:
    page, jobs = seen.page, running.jobs
    page.goto(running.url)
    page.wait_for_selector("table.jobs tbody tr")
    assert page.locator("table.jobs tbody tr").count() == len(jobs)
    names = focused(page, most=9)
    assert names[0] == "To the content"
    assert {"Jobs", "New job", "Data sets"} <= set(names)
    assert {"Colours", "State"} <= set(names), names

    page.get_by_placeholder("name, data set, id").fill("shirts")
    assert page.locator("table.jobs tbody tr").count() == 1
    page.get_by_role("link", name="shirts").click()
    page.wait_for_selector(".uplot canvas")
    assert page.get_by_role("heading", level=1).inner_text() == "shirts"
    assert "trains architectures for a short time each" in page.locator(".now").inner_text()
    _job(running, seen)

    page.goto(f"{running.url}/#/jobs/{jobs['done']}")
    page.get_by_role("link", name="Result", exact=True).click()
    page.wait_for_selector("text=How sure is that?")
    assert "0.9708" in page.locator(".figures").first.inner_text()
    assert "class 8 has only 17 samples" in page.locator(".note").inner_text().lower()
    assert "95 % interval" in page.locator("main").inner_text()
    confused = page.locator("section", has_text="Classes that are confused most").last
    assert confused.locator("tbody tr").count() == 8
    picture = confused.locator("img").first
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8
    link = page.get_by_role("link", name=re.compile("Download the bundle"))
    assert link.get_attribute("href") == f"/v1/jobs/{jobs['done']}/bundle"
    page.get_by_role("link", name=re.compile("^trial")).first.click()
    page.wait_for_selector("text=Decisions")
    assert page.locator("text=conv2d").count() > 0

    assert seen.wrong == []
    assert seen.outside == []
    assert page.evaluate("violations") == []


def _job(running: Running, seen: Seen) -> None:
    """On the page of the running job: keyboard, table, dialog, log, and what happens meanwhile."""
    page = seen.page
    names = set(focused(page))
    assert {"Pause", "Finish early", "Extend", "Cancel", "by time", "MACs", "Table of trials"} <= names, names
    page.get_by_role("button", name=re.compile("^Score")).click()
    page.wait_for_selector("th[aria-sort=descending] >> text=Score")
    first = page.locator(".trials tbody tr:not(.gap) td:nth-child(4)").first.inner_text()
    trials = running.ledger.trials(running.jobs["running"], after=None, limit=500)
    assert first == f"{max(trial.search_score or 0.0 for trial in trials):.4f}"
    page.get_by_role("button", name="Finish early").click()
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    page.locator("summary", has_text="Log").click()
    page.wait_for_selector("text=the plan is made")
    _lives(running, page)


def _lives(running: Running, page: "Page") -> None:
    """A trial that ends is seen without a reload."""
    ledger, lease = running.ledger, running.lease
    number = 24
    page.get_by_role("button", name=re.compile("^Trial")).click()
    row = page.locator(".trials tbody tr", has=page.get_by_role("link", name=str(number), exact=True))
    row.filter(has_text="running").wait_for()
    ledger.add_measurement(lease, number, 1, Measurement(epoch=2, score=0.995, train_loss=0.1, seconds=1.0))
    outcome = Outcome(number=number, state=TrialState.COMPLETED, value=0.995, epochs=2)
    ledger.finish_trial(lease, number, 1, outcome, 0.995)
    page.wait_for_selector("text=0.9950 >> nth=0")
    page.locator(".figures", has_text="0.9950").first.wait_for()
    row.filter(has_text="completed").wait_for()


def test_jobs_are_compared(running: Running, seen: Seen) -> None:
    page = seen.page
    page.goto(running.url)
    page.wait_for_selector("table.jobs tbody tr")
    names = [running.ledger.job(running.jobs[which]).name for which in ("running", "done")]
    page.get_by_label(f"Compare {names[0]}").check()
    assert page.get_by_role("link", name=re.compile("^Compare")).count() == 0
    page.get_by_label(f"Compare {names[1]}").check()
    page.get_by_role("link", name="Compare 2 jobs").click()
    page.get_by_role("heading", level=1, name="2 jobs compared").wait_for()
    page.locator(".plane canvas").wait_for()
    rows = {row[0]: row[1:] for row in (one.split("\t") for one in page.locator("main tbody").inner_text().split("\n"))}
    assert rows["State"] == ["running", "succeeded"]
    best = [running.ledger.job(running.jobs[which]).best_score for which in ("running", "done")]
    assert rows["Best search score"] == [f"{score:.4f}" for score in best]
    assert page.locator("strong", has_text=rows["Best search score"][0]).count() >= 1, "what differs is bold"
    page.get_by_role("cell", name="result").get_by_role("link", name="result").click()
    page.get_by_role("heading", level=1, name=f"{names[1]}: result").wait_for()
    assert seen.wrong == []
    assert page.evaluate("violations") == []


def test_the_theme_is_remembered(running: Running, seen: Seen) -> None:
    page = seen.page
    page.emulate_media(color_scheme="light")
    page.goto(running.url)
    page.wait_for_selector("table.jobs")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_label("Colours").select_option("dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    page.reload()
    page.wait_for_selector("table.jobs")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    assert seen.wrong == []


@pytest.mark.slow
def test_no_page_is_wider_than_the_window(running: Running, seen: Seen) -> None:
    page, jobs = seen.page, running.jobs
    job = f"#/jobs/{jobs['running']}"
    result = f"#/jobs/{jobs['done']}/result"
    both = f"#/compare?jobs={jobs['running']},{jobs['done']}"
    for name in ("#/jobs", both, job, f"{job}/trials/2", result, "#/new", "#/datasets", "#/datasets/digits"):
        page.goto("about:blank")
        page.goto(f"{running.url}/{name}")
        page.wait_for_selector(".uplot" if name == job else "main h1")
        for width in (1600, 900, 400):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(50)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
    assert seen.wrong == []
    assert seen.outside == []


def test_what_newer_services_offer(running: Running, seen: Seen) -> None:
    """Picture, curves in pages and `try it` appear where the API's document has their routes."""
    page, done = seen.page, running.jobs["done"]
    job = "/v1/jobs/{job_id}"
    offered: dict[str, dict[str, str]] = {
        path: {} for path in (f"{job}/predict", f"{job}/measurements", f"{job}/trials/{{number}}/picture.svg")
    }
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"><rect width="80" height="40"/></svg>'
    page.route("**/openapi.json", lambda route: route.fulfill(json={"paths": offered}))
    page.route("**/picture.svg", lambda route: route.fulfill(body=svg, content_type="image/svg+xml"))
    answer = {"rows": [{"what": "seven.png", "classes": {"7": 0.9, "1": 0.1}}], "remark": "the picture was scaled"}
    page.route("**/predict", lambda route: route.fulfill(json=answer))
    pages = {"": {"items": [{"trial": 0, "points": [[1, 0.5], [2, 0.6]]}], "next": "0"}}
    pages["0"] = {"items": [{"trial": 1, "points": [[1, 0.4]]}], "next": None}  # type: ignore[dict-item]
    curves = re.compile(r"/measurements(\?after=(\w+))?$")
    page.route(curves, lambda route: route.fulfill(json=pages[(curves.search(route.request.url) or [""] * 3)[2] or ""]))

    page.goto(f"{running.url}/#/jobs/{done}")
    page.get_by_label("Learning curves of 2 trials").wait_for()
    page.goto(f"{running.url}/#/jobs/{done}/trials/0")
    picture = page.locator(".picture img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 80
    page.goto(f"{running.url}/#/jobs/{done}/result")
    file = {"name": "seven.png", "mimeType": "image/png", "buffer": b"\x89PNG"}
    page.get_by_label("A file for the winner").locator("input").set_input_files(file)  # type: ignore[arg-type]
    page.wait_for_selector("text=90.0 %")
    assert "the picture was scaled" in page.locator(".try-answer").inner_text()
    assert seen.wrong == []
    assert page.evaluate("violations") == []
