"""The report as Chromium shows it. Screenshots are kept in the directory that BGP_LAB_SCREENSHOTS names, if any."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from browser import CHROMIUM, browser
from example_run import example_checks, example_run, hostile_run
from fetch_axe import fetch
from mesh_run import mesh_run

from bgplab.checks.finding import Verdict
from bgplab.results.directory import save_run
from dashboards.compare import render_comparison
from dashboards.figures import convergence_image, distribution_image
from dashboards.report import render_report
from dashboards.site import render_index

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (package chromium)")]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def failed_run():
    failed = replace(example_checks()[2], verdict=Verdict.FAILS, reason="2 of 3 sessions are up")
    unclear = replace(example_checks()[1], verdict=Verdict.INCONCLUSIVE, reason="too few requests")
    checks = (example_checks()[0], unclear, failed, *example_checks()[3:])
    return example_run(checks=checks, run_id="20261124T183012Z-4d5e6f", seeds={})


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every kind of page there is, by name."""
    folder = tmp_path_factory.mktemp("pages")
    save_run(folder / "results", example_run(), {"report.html": ""})
    content = {
        "report": render_report(example_run()),
        "failed": render_report(failed_run()),
        "mesh": render_report(mesh_run()),
        "hostile": render_report(hostile_run()),
        "comparison": render_comparison(example_run(), failed_run()),
        "index": render_index(folder / "results"),
    }
    for name, html in content.items():
        (folder / f"{name}.html").write_text(html)
    return {name: folder / f"{name}.html" for name in content}


@pytest.fixture(scope="module")
def report(pages):
    return pages["report"]


EVERY_PAGE = ["report", "failed", "mesh", "hostile", "comparison", "index"]


def keep(path):
    if wanted := os.environ.get("BGP_LAB_SCREENSHOTS"):
        Path(wanted).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, wanted)


@pytest.mark.parametrize("page", EVERY_PAGE)
@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_a_page_is_never_wider_than_the_window(chromium, pages, tmp_path, page, width):
    chromium.open(pages[page].as_uri(), width)
    shot = tmp_path / f"{page}-{width}.png"
    chromium.screenshot(shot, width)
    keep(shot)
    assert shot.read_bytes()[:4] == b"\x89PNG"
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("page", ["report", "comparison"])
@pytest.mark.parametrize(("name", "dark", "media"), [("dark", True, ""), ("print", False, "print")])
def test_dark_and_print_have_colours_of_their_own(chromium, pages, tmp_path, page, name, dark, media):
    chromium.open(pages[page].as_uri(), 1280, dark, media)
    chromium.screenshot(tmp_path / f"{page}-{name}.png", 1280)
    keep(tmp_path / f"{page}-{name}.png")
    background = chromium.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"dark": "rgb(15, 18, 22)", "print": "rgb(255, 255, 255)"}[name]


def test_printed_it_is_a_pdf_of_a_few_pages_with_all_checks_on_it(chromium, report, tmp_path):
    chromium.open(report.as_uri(), 1280)
    chromium.pdf(tmp_path / "report.pdf")
    keep(tmp_path / "report.pdf")
    content = (tmp_path / "report.pdf").read_bytes()
    assert content[:5] == b"%PDF-"
    assert 2 <= content.count(b"/Type /Page\n") <= 12


@pytest.mark.skipif(shutil.which("npm") is None, reason="axe-core comes from npm, which is not here")
@pytest.mark.parametrize("page", EVERY_PAGE)
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_axe_finds_nothing_serious(chromium, pages, page, width, dark):
    chromium.open(pages[page].as_uri(), width, dark)
    chromium.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    chromium.evaluate(fetch().read_text() + ";0")
    found = chromium.evaluate(AXE)
    assert found["passes"] > 10
    assert [each for each in found["violations"] if each["impact"] in ("serious", "critical")] == []
    assert [each["id"] for each in found["violations"]] == []


AXE = """
axe.run(document, {resultTypes: ["violations"]}).then(found => ({
  passes: found.passes.length,
  violations: found.violations.map(each => ({id: each.id, impact: each.impact, help: each.help,
    nodes: each.nodes.slice(0, 3).map(node => node.html.slice(0, 160) + " | " + (node.failureSummary || ""))})),
}))
"""


def test_everything_folded_opens_by_keyboard(chromium, report):
    chromium.open(report.as_uri(), 1280)
    for kind in ("keyDown", "keyUp"):
        chromium.evaluate("document.querySelector('.check summary').focus()")
        chromium.call(
            "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
        )
    assert chromium.evaluate("document.querySelector('.check').open")


@pytest.mark.parametrize("page", ["report", "hostile", "comparison"])
def test_opened_from_a_file_it_asks_for_nothing_else(chromium, pages, page):
    chromium.requests.clear()
    chromium.open(pages[page].as_uri(), 1280)
    chromium.evaluate("new Promise(done => setTimeout(done, 300))")  # what a page asks for late
    assert set(chromium.requests) == {pages[page].as_uri()}


def test_it_opens_quickly(chromium, report):
    chromium.open(report.as_uri(), 1280)
    assert chromium.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") <= 1500


def test_hostile_texts_run_nothing(chromium, pages):
    chromium.open(pages["hostile"].as_uri(), 1280)
    assert chromium.evaluate("document.scripts.length + document.images.length") == 0


ROW_HEADS = """
[...document.querySelectorAll("tbody th[scope=row]")].map(head => [head, head.nextElementSibling])
  .map(pair => pair.map(cell => getComputedStyle(cell).fontSize)).filter(([head, cell]) => head !== cell)
"""


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_rows_head_is_as_large_as_its_other_cells(chromium, pages, page):
    chromium.open(pages[page].as_uri(), 1280)
    assert chromium.evaluate(ROW_HEADS) == []


CONTRAST = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(v => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => { for (let e = element; e; e = e.parentElement) {
    const colour = rgb(getComputedStyle(e).backgroundColor); if (colour[3] > 200) return colour; }
    return [255, 255, 255]; };
  const poor = [];
  for (const e of document.querySelectorAll("main *, .hero *, nav *, footer")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest("svg") || !e.getClientRects().length) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.push(`${e.tagName}.${e.className} ${ratio.toFixed(2)} ${e.textContent.trim().slice(0, 30)}`);
  }
  return poor;
})()
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_has_enough_contrast(chromium, report, dark):
    chromium.open(report.as_uri(), 1280, dark)
    assert chromium.evaluate(CONTRAST) == []


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("distribution", lambda run: distribution_image(run.load_tests)),
        ("convergence", lambda run: convergence_image(run.convergence)),
    ],
    ids=["distribution", "convergence"],
)
def test_kaleido_makes_a_png(tmp_path, name, image):
    made = image(example_run())
    (tmp_path / f"{name}.png").write_bytes(made.content)
    keep(tmp_path / f"{name}.png")
    assert (made.media_type, made.note, made.content[:4]) == ("image/png", "", b"\x89PNG")
