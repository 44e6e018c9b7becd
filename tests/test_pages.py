"""The pages hang together: a short README, every page in the site, and no link that leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import spotter
from tests.conftest import PROJECT

PAGES = [*sorted(PROJECT.glob("*.md")), *sorted(PROJECT.glob("docs/*.md"))]


def leaves(nav: Any) -> list[str]:
    """Return the pages of a navigation, whatever their depth."""
    if isinstance(nav, str):
        return [nav]
    return [page for each in (nav.values() if isinstance(nav, dict) else nav) for page in leaves(each)]


def test_the_readme_is_read_in_two_minutes() -> None:
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_page_is_in_the_site() -> None:
    nav = yaml.safe_load((PROJECT / ".mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert sorted(leaves(nav)) == [path.name for path in sorted(PROJECT.glob("docs/*.md"))]


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    """Files and pictures beside the page; headings are checked where the site is built."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES if page.name != "CHANGELOG.md"])
def test_files_that_are_named_exist(page: Path) -> None:
    """Tests that prove a claim, modules, configs; ``folder/{a,b}.py`` are two."""
    named = re.findall(r"`((?:spotter|tests|conf|docs)/[^`\s]*)`", page.read_text(encoding="utf-8"))
    parts = [re.fullmatch(r"([^{]*)(?:\{(.*)\}(.*))?", name) for name in named]
    files = [f"{part[1]}{each}{part[3] or ''}" for part in parts if part for each in (part[2] or "").split(",")]
    assert not [file for file in files if not (PROJECT / file).exists()]


def test_nobody_is_sent_to_the_other_project_of_that_name() -> None:
    for page in PAGES:
        assert (
            "pip install spotter" not in page.read_text(encoding="utf-8").replace("`", "")
            or page.name == "CHANGELOG.md"
        )


def test_the_version_stands_once_for_citation() -> None:
    assert yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == spotter.__version__
