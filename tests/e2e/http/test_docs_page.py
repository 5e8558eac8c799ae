"""The page that shows the OpenAPI document; a browser opens it in `test_docs_in_a_browser.py`."""

import re

from tests.support.http import Api


async def test_the_documentation_comes_from_this_server_alone(edge: Api) -> None:
    page = await edge.client.get("/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "http" not in page.text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) == 4
    for address in addresses:
        asset = await edge.client.get(address)
        assert asset.status_code == 200
        assert asset.content
        assert "text/html" not in asset.headers["Content-Type"]
    start = (await edge.client.get("/docs/start.js")).text
    assert re.findall(r'url: "([^"]+)"', start) == ["/openapi.json"]
    assert "validatorUrl: null" in start


async def test_the_policy_of_the_documentation_forbids_other_hosts_and_scripts_in_the_page(edge: Api) -> None:
    page = await edge.client.get("/docs")
    policy = dict(each.split(" ", 1) for each in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert re.search(r"<script(?! src=)", page.text) is None
