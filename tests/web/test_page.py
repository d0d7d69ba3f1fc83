"""The page in a real browser with a camera: signs are named, keys suffice, axe-core finds nothing, it fits a phone."""

import contextlib

from signs.prepare.recordings import read_recordings
from signs.web import page_routes, visit
from signs.web.own_folder import OwnFolder
from signs.web.teacher import Teacher
from signs.web.words import table

import numpy as np
import pytest
from served import NAMES, Recogniser, serving

import tiny
from browser import Tab, axe_violations, need_chromium, opened, write_camera

STATE = "document.getElementById('state').className"
BEST = "document.getElementById('best').textContent"


def frames_of(level: int) -> np.ndarray:
    frames = np.full((8, 240, 320, 3), level, np.uint8)
    frames[1::2, 100:140, 100:140] = 255 - level  # what stands quite still is coded as nothing
    return frames


@pytest.fixture(scope="module")
def visited(tmp_path_factory):
    """A page with a camera whose pictures are bright enough for the second sign, whose name is an attack."""
    need_chromium()
    folder = tmp_path_factory.mktemp("chromium")
    camera = write_camera(folder / "camera.mjpeg", frames_of(90))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(visit, "COUNTDOWN", 0.3)
        patch.setattr(visit, "RECORDING", 0.7)
        teacher = Teacher(tiny.REPOSITORY, folder / "mine", folder / "data", folder / "model", Recogniser)
        own = OwnFolder(folder / "mine")
        with (
            serving(seats=1, own=own, teacher=teacher) as served,
            opened(served.address, folder, camera=camera) as page,
        ):
            page.wait_for("location.search === '' && document.querySelector('[data-mode]').disabled === false")
            yield page, served


def signed(page: Tab) -> str:
    """Sign once by keys alone, the camera too; the answer."""
    page.wait_for(f"document.getElementById('camera-start').dataset.does && {STATE} !== 'loading'")
    if page.run(f"{STATE} === 'off'"):
        page.key(" ")
    page.wait_for("!document.getElementById('start').disabled")
    page.key(" ")
    page.wait_for(f"{STATE} === 'countdown' || {STATE} === 'recording'")
    page.wait_for(f"{STATE} === 'result'")
    return page.wait_for(f"!{BEST}.startsWith('No answer') && {BEST}")


def test_a_sign_is_named_and_corrected_by_keys_alone(visited):
    page, served = visited
    assert "token" not in page.run("location.href")
    table_there = "!document.getElementById('history-file').hidden"
    assert not page.run(table_there), "an empty table is no use"
    assert signed(page) == NAMES[1], "markup is shown as the text that it is"
    assert page.run("document.images.length") == 0
    assert page.run("document.getElementById('spoken').textContent") == f"{NAMES[1]}, 70 percent"
    assert page.run(table_there)
    truth = "document.getElementById('truth').textContent"
    page.key("2")
    page.wait_for(f"{truth} === 'It was: dark'")
    kept = page.run("document.getElementById('kept').textContent")
    assert kept.startswith("Not kept") and "Your own signs" in kept, "correcting teaches nothing here, and that is said"
    page.key("n")
    page.type("hu c")  # none of them does what it does as a key
    page.key("Enter")
    page.wait_for(f"{truth} === 'It was: hu c'")
    page.key("u")
    page.wait_for(f"{truth} === ''")
    page.key("h")
    page.wait_for(f"{STATE} === 'learning' && !document.getElementById('progress').hidden")
    assert page.run("document.getElementById('state').textContent") == "Finding out how you rest"
    page.key("h")
    page.wait_for(f"{STATE} === 'result'")
    assert page.run("document.activeElement.id") == "answer", "the focus is not lost"


def test_no_sign_as_an_answer_says_what_the_buttons_mean(visited):
    page, _ = visited
    answer = (
        "{none: true, known: true, ranked: [{name: 'no sign', probability: 0.9}], number: 1, of: 1, latency: 0.1,"
        " truth: null}"
    )
    why = "document.getElementById('none-why').textContent"
    shown = f"import('/page/answer.js').then(part => {{ part.showAnswer({{ answer: {answer} }}); return {why}; }})"
    assert "“No sign”" in page.run(shown) and "“Another sign”" in page.run(why)
    assert not page.run(shown.replace("none: true", "none: false"))


def typed(page: Tab, name: str, letters: str) -> None:
    page.run(f"document.getElementById('{name}').focus()")
    page.type(letters)
    page.key("Enter")


def test_a_sign_of_ones_own_is_recorded_and_thrown_away_by_keys(visited):
    page, served = visited
    folder, said = served.site.lobby.own.folder, "document.getElementById('own-said').textContent"
    assert signed(page), "the camera is on"
    lack = "document.getElementById('own-fault').textContent"
    typed(page, "own-name", "")
    page.wait_for(f"{lack} === 'Write first who signs.' && document.activeElement.id === 'own-name'")
    typed(page, "own-name", "anna")
    page.wait_for("document.activeElement.id === 'own-asked'")
    typed(page, "own-given", "")
    page.wait_for(f"{lack}.startsWith('Tick the first box') && document.activeElement.value === 'training'")
    page.run("document.querySelector('#own-consent [value=training]').focus()")
    page.key(" ")
    typed(page, "own-given", "")
    page.wait_for("document.activeElement.id === 'own-sign'")
    assert read_recordings(folder).consent_of("anna").scope == ("training",)
    page.wait_for("!document.getElementById('consent-box').hidden")
    assert page.run("document.getElementById('consent-said').textContent").startswith("I am anna. Keep the video")
    typed(page, "own-sign", "")
    page.wait_for(f"{lack} === 'Write first what the sign is called.' && document.activeElement.id === 'own-sign'")
    page.run("document.getElementById('own-seconds').value = 1; 0")
    typed(page, "own-sign", "hello")
    page.wait_for(f"{STATE} === 'recording'")
    page.wait_for(f"{said}.startsWith('Take 1 of hello is kept.')")
    doubtful = page.run("document.getElementById('own-said').className === 'doubtful'")
    assert doubtful == ("doubtful" in page.run(said)), "green is for a good take"
    page.wait_for("document.getElementById('own-signs').textContent === 'hello: 1'")
    page.run("document.getElementById('own-undo').focus()")
    page.key("Enter")
    page.wait_for(f"{said} === 'Take 1 of hello is deleted.'")
    assert not read_recordings(folder).rows


def test_an_answer_to_a_file_is_corrected(visited, tmp_path):
    page, _ = visited
    truth = "document.getElementById('upload-truth').textContent"
    page.choose_file("#file", tiny.write_video(tmp_path / "a.avi", np.full((20, 120, 160, 3), 230, np.uint8)))
    page.wait_for("document.querySelectorAll('#upload-three button').length === 3")
    assert page.run("document.querySelector('#upload-three bdi').textContent") == NAMES[3]
    page.click("#upload-three li:nth-child(2) button")
    page.wait_for(f"{truth} === 'It was: {NAMES[0]}'")
    assert page.run("document.querySelector('#upload-three li:nth-child(2) button').ariaPressed") == "true"
    page.click("#upload-name")
    page.type("hu c\r")
    page.wait_for(f"{truth} === 'It was: hu c'")
    assert page.run("document.activeElement.id") == "upload-name", "the focus is not lost"
    page.click("#upload-back")
    page.wait_for(f"{truth} === ''")
    page.click("#upload-nothing")
    page.wait_for(f"{truth} === 'It was no sign'")


def test_who_never_showed_a_picture_is_not_asked_whether_he_is_there(tmp_path):
    need_chromium()
    clock = [0.0]
    with serving(seats=1, clock=lambda: clock[0]) as served, opened(served.address, tmp_path) as page:
        page.wait_for("location.search === '' && document.querySelector('[data-mode]').disabled === false")
        said = "document.getElementById('curtain-said').textContent"
        clock[0] += 100.0
        page.wait_for("document.querySelector('[data-mode]').disabled === true")
        assert page.run(said) == table()["en"]["camera.why"] and page.run(
            "document.getElementById('curtain-title').hidden"
        )


def test_a_refused_camera_and_a_server_that_stops_are_said(tmp_path):
    refuses = ("--use-fake-device-for-media-stream", "--deny-permission-prompts")
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(serving(seats=1))
        with opened(served.address, tmp_path, flags=refuses) as page:
            page.wait_for("location.search === '' && document.getElementById('camera-start').dataset.does")
            page.click("#camera-start")
            page.wait_for("document.getElementById('curtain-said').textContent.includes('may not use the camera')")
            assert page.run("document.getElementById('camera-start').textContent") == "Try again"
            stack.close()
            page.wait_for("document.getElementById('link-said').textContent.startsWith('The connection is lost')")


def test_nothing_is_asked_of_anybody_else_and_nothing_is_forbidden(visited):
    page, served = visited
    own = (f"http://127.0.0.1:{served.port}/", f"ws://127.0.0.1:{served.port}/")
    assert len(page.addresses) > 10 and all(address.startswith(own) for address in page.addresses)
    assert page.faults == []
    for name in page_routes.FILES:
        text = page_routes.FILES[name][0].decode()
        assert not [word for word in ("https:", "//cdn", "@import", "innerHTML", "eval(") if word in text], name


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_it_fits(visited, width):
    page, _ = visited
    page.look(width, height=844, phone=width < 600)
    assert page.wait_for("innerWidth") == width
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    keys = "[...document.querySelectorAll('button kbd, summary kbd')].filter(each => each.checkVisibility()).length"
    assert bool(page.run(keys)) == (width >= 600), "fingers press no keys"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(visited, width, dark):
    page, _ = visited
    page.look(width, dark, 844, phone=width < 600)
    page.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert not axe_violations(page)
    assert signed(page)
    assert not axe_violations(page)


def test_without_a_websocket_it_goes_on_by_requests(visited):
    page, served = visited
    page.look(1280)
    page.ask(
        "Page.addScriptToEvaluateOnNewDocument",
        source="WebSocket = class extends WebSocket { constructor(address) { super(address + '/refused'); } };",
    )
    page.open(served.address)
    page.wait_for("document.getElementById('link-said').textContent.includes('without WebSocket')")
    assert signed(page) == NAMES[1]


def test_a_password_is_asked(tmp_path):
    need_chromium()
    with serving(password="correct horse") as served, opened(served.address, tmp_path) as page:
        page.wait_for("document.activeElement.id === 'password' && !document.getElementById('go').disabled")
        page.type("wrong")
        page.key("Enter")
        page.wait_for("document.getElementById('door-said').textContent === 'This is not the password.'")
        page.type("correct horse")
        page.key("Enter")
        page.wait_for("!!document.getElementById('camera-start')")
        assert "horse" not in "".join(page.addresses)


def test_a_password_typed_before_the_script_is_there_stays(tmp_path):
    need_chromium()
    with serving(password="correct horse") as served, opened("about:blank", tmp_path) as page:
        page.ask("Network.setBlockedURLs", urls=["*words.json"])
        page.open(served.address)
        page.wait_for("document.activeElement.id === 'password' && document.readyState === 'complete'")
        page.type("correct horse")
        page.key("Enter")
        assert page.run("document.getElementById('password').value") == "correct horse"
        assert page.run("document.getElementById('go').disabled")


def test_every_word_is_in_the_table():
    """What the parts of the page say stands in words.json, and nothing stands there in vain."""
    words, used = table()["en"], ""
    for path in sorted(page_routes.PAGE.rglob("*")):
        if path.suffix in (".html", ".js"):
            used += path.read_text(encoding="utf-8")
    direct = set(words) & {part for mark in "\"'`" for part in used.split(mark)}
    families = ("state.", "hint.", "start.", "mode.", "keys.", "link.", "correct.", "own.", "learn.")
    assert not {name for name in words if name not in direct and not name.startswith(families)}
    for page in ("index.html", "password.html", "enter.html"):

        class Request:
            headers = {"accept-language": "xx, en;q=0.5"}

        card = type("Card", (), {"folder": "<f>", "signer": "<s>", "signs": [], "records": "<f>"})
        drawn = page_routes.drawn(page, Request, card=card).body.decode()
        assert "{{" not in drawn and "{folder}" not in drawn and "<f>" not in drawn
