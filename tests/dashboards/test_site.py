import urllib.error
import urllib.request

import pytest
from example_run import example_run

from bgplab.results.directory import save_run
from dashboards.site import report_url, running_site


@pytest.fixture
def site(tmp_path):
    results = tmp_path / "results"
    save_run(results, example_run(load_tests=()), {"report.html": "<p>the report"})
    (tmp_path / "secret.html").write_text("secret")
    (results / "link.html").symlink_to(tmp_path / "secret.html")
    (results / ".hidden.html").write_text("secret")
    (results / "id_ed25519").write_text("secret")
    with running_site(results) as port:
        yield port


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


def test_the_first_page_lists_runs_and_links_their_reports(site):
    page = get(site, "/")
    assert "bgp-lab/guide/20261124T173012Z-1a2b3c/report.html" in page
    assert "All 4 observations hold." in page


def test_a_report_is_served(site):
    with urllib.request.urlopen(report_url(site, example_run()), timeout=5) as answer:
        assert answer.read() == b"<p>the report"


@pytest.mark.parametrize(
    "path",
    ["/link.html", "/.hidden.html", "/id_ed25519", "/../secret.html", "/%2e%2e/secret.html", "/bgp-lab/", "/x.html"],
)
def test_nothing_but_results_is_served(site, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(site, path)
    assert refused.value.code == 404


def test_nothing_can_be_written(site):
    request = urllib.request.Request(f"http://127.0.0.1:{site}/x.html", data=b"x", method="PUT")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    assert refused.value.code == 501
