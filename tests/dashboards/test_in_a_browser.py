"""The report as Chromium shows it. Screenshots are kept in the directory that BGP_LAB_SCREENSHOTS names, if any."""

import os
import shutil
from pathlib import Path

import pytest
from browser import CHROMIUM, browser
from example_run import example_run, hostile_run

from dashboards.figures import distribution_image
from dashboards.report import render_report

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (package chromium)")]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_report(example_run()))
    return path


def keep(path):
    if wanted := os.environ.get("BGP_LAB_SCREENSHOTS"):
        Path(wanted).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, wanted)


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_the_page_is_never_wider_than_the_window(chromium, report, tmp_path, width):
    chromium.open(report.as_uri(), width)
    chromium.screenshot(tmp_path / f"report-{width}.png", width)
    keep(tmp_path / f"report-{width}.png")
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("name", "dark", "media"), [("dark", True, ""), ("print", False, "print")])
def test_dark_and_print_have_colours_of_their_own(chromium, report, tmp_path, name, dark, media):
    chromium.open(report.as_uri(), 1280, dark, media)
    chromium.screenshot(tmp_path / f"report-{name}.png", 1280)
    keep(tmp_path / f"report-{name}.png")
    background = chromium.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"dark": "rgb(15, 18, 22)", "print": "rgb(255, 255, 255)"}[name]


def test_opened_from_a_file_it_asks_for_nothing_else(chromium, report):
    chromium.requests.clear()
    chromium.open(report.as_uri(), 1280)
    assert set(chromium.requests) == {report.as_uri()}


def test_it_opens_quickly(chromium, report):
    chromium.open(report.as_uri(), 1280)
    assert chromium.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") <= 1500


def test_hostile_texts_run_nothing(chromium, tmp_path):
    path = tmp_path / "hostile.html"
    path.write_text(render_report(hostile_run()))
    chromium.open(path.as_uri(), 1280)
    assert chromium.evaluate("document.scripts.length + document.images.length") == 0


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


def test_kaleido_makes_a_png_of_the_distribution(tmp_path):
    image = distribution_image(example_run().load_tests)
    (tmp_path / "distribution.png").write_bytes(image.content)
    keep(tmp_path / "distribution.png")
    assert (image.media_type, image.note, image.content[:4]) == ("image/png", "", b"\x89PNG")
