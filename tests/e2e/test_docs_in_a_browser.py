"""`/docs` as a person uses it: in a real browser, on a real server.

The browser is the one that `STEWARD_TEST_BROWSER` names, else Chromium where it is installed; CI always names one.
A picture of what was seen is kept under `var/test-artefacts/`.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.support.steward_server import ADMIN_PASSWORD, StewardServer

ARTEFACTS = Path(__file__).parents[2] / "var" / "test-artefacts"
PATIENCE = 90_000  # milliseconds, of a busy machine


@dataclass(frozen=True, slots=True)
class Visit:
    """A page of the documentation, and what the browser has noticed since it was opened."""

    page: Page
    origin: str
    addresses: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def begin(self) -> None:
        self.page.on("request", lambda request: self.addresses.append(request.url))
        self.page.on(
            "console", lambda message: self.complaints.append(message.text) if message.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        # Noted before any script runs: a violation of the policy is not always told to the console.
        self.page.add_init_script(
            "document.addEventListener('securitypolicyviolation', event => console.error('CSP: ' + event.blockedURI))"
        )
        self.page.goto(f"{self.origin}/docs")

    def sign_in(self, username: str, password: str) -> None:
        self.page.get_by_role("button", name="Authorize").first.click()
        dialog = self.page.locator(".modal-ux")
        dialog.locator("#oauth_username").fill(username)
        dialog.locator("#oauth_password").fill(password)
        dialog.get_by_role("button", name="Apply given OAuth2 credentials").click()
        expect(dialog.get_by_role("button", name="Remove authorization")).to_be_visible()
        dialog.get_by_role("button", name="Close").last.click()

    def sign_out(self) -> None:
        self.page.get_by_role("button", name="Authorize").first.click()
        dialog = self.page.locator(".modal-ux")
        dialog.get_by_role("button", name="Remove authorization").click()
        dialog.get_by_role("button", name="Close").last.click()

    def operation(self, operation_id: str) -> Locator:
        """Opened, and ready to be tried out."""
        block = self.page.locator(f"[id$='-{operation_id}']")
        block.locator(".opblock-summary-control").click()
        block.get_by_role("button", name="Try it out").click()
        return block

    def execute(self, block: Locator) -> Locator:
        """What the page shows of the answer."""
        block.get_by_role("button", name="Execute").click()
        return block.locator(".live-responses-table .response")


@pytest.fixture(scope="module")
def browser() -> str:
    """The path of its executable."""
    if named := os.environ.get("STEWARD_TEST_BROWSER"):
        assert Path(named).is_file(), f"STEWARD_TEST_BROWSER names {named}, and there is no such file"
        return named
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("No browser is installed: `apt-get install chromium`, or name one in STEWARD_TEST_BROWSER")


@pytest.fixture(scope="module")
def chromium(browser: str) -> Iterator[Browser]:
    # As root, as in a container, Chromium starts only without its sandbox. It opens nothing but our own page.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=options, timeout=PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StewardServer]:
    with StewardServer(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('docs') / 'steward.db'}") as server:
        yield server


@pytest.fixture
def visit(chromium: Browser, server: StewardServer) -> Iterator[Visit]:
    with chromium.new_page(viewport={"width": 1280, "height": 1600}) as page:
        page.set_default_timeout(PATIENCE)
        visit = Visit(page, server.url)
        visit.begin()
        yield visit


def test_a_person_signs_in_and_tries_the_api_out(visit: Visit) -> None:
    visit.sign_in("admin", ADMIN_PASSWORD)

    me = visit.operation("get_user")
    me.get_by_placeholder("user_id").fill("me")
    answer = visit.execute(me)
    expect(answer).to_contain_text("200")
    expect(answer).to_contain_text('"username": "admin"')

    answer = visit.execute(visit.operation("create_item"))  # with the example as it stands there
    expect(answer).to_contain_text("201")
    expect(answer).to_contain_text('"name": "Box"')
    _keep_picture(answer, "docs-tried-out.png")

    visit.sign_out()
    answer = visit.execute(me)
    expect(answer).to_contain_text("401")
    expect(answer).to_contain_text('"code": "not_authenticated"')

    assert [address for address in visit.addresses if not address.startswith((f"{visit.origin}/", "data:"))] == []
    assert visit.complaints == ["Failed to load resource: the server responded with a status of 401 (Unauthorized)"]


def test_a_person_sees_the_whole_of_a_problem(visit: Visit) -> None:
    block = visit.page.locator("[id$='-get_item']")
    block.locator(".opblock-summary-control").click()
    shown = block.locator("tr.response[data-code='404'] .highlight-code").inner_text()
    for member in ("type", "title", "status", "detail", "code", "instance", "request_id"):
        assert f'"{member}":' in shown
    _keep_picture(block.locator("tr.response[data-code='404']"), "docs-problem.png")
    assert visit.complaints == []


def _keep_picture(of: Locator, name: str) -> None:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    of.screenshot(path=ARTEFACTS / name)
