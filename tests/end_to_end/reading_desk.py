"""What the hands of readers and adjudicators do in Label Studio's page."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, Response, expect

SUBMIT = "bottombar-submit-button"
SKIP = "bottombar-skip-button"
UPDATE = "bottombar-update-button"
_IMAGE = 'img[src^="blob:"]'
_SCREENS = ((1920, 1080), (1280, 800))


def log_in(page: Page, url: str, email: str, password: str) -> None:
    """Fill in Label Studio's log-in form."""
    page.goto(f"{url}/user/login/")
    page.fill("#email", email)
    page.fill("#password", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda found: "/user/login" not in found)


def shown_image(page: Page) -> Locator:
    """Wait until the radiograph is there."""
    page.wait_for_selector(_IMAGE, timeout=60_000)
    expect(page.get_by_test_id(SUBMIT).or_(page.get_by_test_id(UPDATE))).to_be_visible()
    page.wait_for_timeout(700)  # regions are drawn after the image
    return page.locator(_IMAGE)


def draw_box(
    page: Page, hotkey: str, x_min: float, y_min: float, x_max: float, y_max: float
) -> None:
    """Choose a finding by its key and drag a box; edges in shares of the image."""
    area = shown_image(page).bounding_box()
    assert area is not None
    left, top = area["x"] + area["width"] * x_min, area["y"] + area["height"] * y_min
    right, bottom = area["x"] + area["width"] * x_max, area["y"] + area["height"] * y_max
    page.keyboard.press(hotkey)
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move((left + right) / 2, (top + bottom) / 2, steps=5)
    page.mouse.move(right, bottom, steps=5)
    page.mouse.up()
    page.wait_for_timeout(300)


def select_box(page: Page, x: float, y: float) -> None:
    """Click a box at a place inside it; in shares of the image."""
    page.mouse.click(*_at(page, x, y))
    page.wait_for_timeout(300)


def move_box(page: Page, x: float, y: float, by_x: float, by_y: float) -> None:
    """Drag a box by a place inside it; in shares of the image."""
    start, end = _at(page, x, y), _at(page, x + by_x, y + by_y)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=5)
    page.mouse.move(*end, steps=5)
    page.mouse.up()
    page.wait_for_timeout(300)


def write_note(page: Page, text: str, *, confirm: bool) -> None:
    """Write into the note; Enter makes it part of the answer at once, submitting does so too."""
    page.get_by_test_id("textarea-input").fill(text)
    if confirm:
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)


def name_and_select_boxes(page: Page) -> None:
    """Switch on what the landing page advises, once in a browser."""
    page.get_by_test_id("bottombar-settings-button").click()
    for setting in ("Show region labels", "Select region after creating it"):
        page.get_by_text(setting, exact=True).click()
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)


def decide(page: Page, name: str, *keys: str, reason: str = "") -> None:
    """Select a box by its name in the list of regions, press keys, write a reason."""
    listed = page.locator("[class*=outliner-item__title]")
    listed.last.hover()
    page.mouse.wheel(0, -10_000)  # the list holds what is in view, and selecting may scroll it
    listed.get_by_text(name, exact=True).click()
    page.wait_for_timeout(400)
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(300)
    if reason:
        field = page.get_by_placeholder("Reason, optional")
        field.fill(reason)
        field.press("Enter")
        page.wait_for_timeout(300)
    page.keyboard.press("Escape")
    page.wait_for_timeout(200)


def hidden_form_px(page: Page) -> int:
    """Return how much of the reading form needs scrolling or lies under the bar, at most."""
    overhang = """form => {
        const bar = document.querySelector(".lsf-bottombar").getBoundingClientRect();
        return Math.round(Math.max(
            form.scrollWidth - form.clientWidth, form.scrollHeight - form.clientHeight,
            form.getBoundingClientRect().bottom - bar.top, 0,
        ));
    }"""
    hidden: int = page.locator(".reading .answer").evaluate(overhang)
    return hidden


def hidden_film_px(page: Page) -> int:
    """Return how much of the radiograph lies outside its frame or under the bar, at most."""
    overhang = """image => {
        const film = image.getBoundingClientRect();
        const frame = image.closest(".lsf-object").getBoundingClientRect();
        const bar = document.querySelector(".lsf-bottombar").getBoundingClientRect();
        return Math.round(Math.max(
            frame.left - film.left, frame.top - film.top, film.right - frame.right,
            film.bottom - bar.top, 0,
        ));
    }"""
    hidden: int = page.locator(_IMAGE).evaluate(overhang)
    return hidden


def expect_nothing_cut_off(page: Page, picture: Path, *hidden_px: Callable[[Page], int]) -> None:
    """Open the case of a page on both screens, the small one last, and expect all to be seen."""
    for width, height in _SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        page.reload()
        shown_image(page)
        page.screenshot(path=f"{picture}-{width}.png")
        for measured in hidden_px:
            assert measured(page) == 0, (picture.name, width, measured.__name__)


def submit(page: Page) -> None:
    """Press Submit and wait until Label Studio has kept the annotation."""
    _send(page, SUBMIT)


def skip(page: Page) -> None:
    """Press Skip and wait until Label Studio has kept that."""
    _send(page, SKIP)


def _send(page: Page, button: str) -> None:
    def is_saved(response: Response) -> bool:
        return "/annotations" in response.url and response.request.method == "POST"

    with page.expect_response(is_saved) as saved:
        page.get_by_test_id(button).click()
    assert saved.value.status == 201, saved.value.text()


def _at(page: Page, x: float, y: float) -> tuple[float, float]:
    area = shown_image(page).bounding_box()
    assert area is not None
    return area["x"] + area["width"] * x, area["y"] + area["height"] * y
