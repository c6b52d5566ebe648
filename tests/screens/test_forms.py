"""Forms: what is read of what was typed, and that each is carried out once."""

import asyncio

import pytest

from cea_exchange.screens.serving.forms import Form, Once, form_read


def typed(**values: str) -> Form:
    return Form(values=values)


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), (" 1,234,567 ", 1_234_567), ("\uff11\uff12\uff13", 123), ("1\uff0c234", 1_234)],
)
def test_a_whole_number_is_read_as_people_write_it(text, number):
    assert typed(tonnes=text).whole("tonnes") == number


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1,23", "1e3", "²", "9" * 20, "=1+1", "0x10"])
def test_what_is_no_whole_number_is_refused_beside_its_field(text):
    form = typed(tonnes=text)
    assert form.whole("tonnes") is None
    assert form.troubles["tonnes"].sentence == "form.not_whole"


@pytest.mark.parametrize(
    ("text", "fen"), [("97", 9700), ("97.5", 9750), ("97.50", 9750), ("1,234.05", 123_405)]
)
def test_yuan_are_read_exactly(text, fen):
    assert typed(price=text).yuan("price") == fen


@pytest.mark.parametrize("text", ["0", "0.00", "97.505", "-1", ".5", "1e2", "nan", "٣"])
def test_what_is_no_amount_is_refused(text):
    form = typed(price=text)
    assert form.yuan("price") is None
    assert form.troubles["price"].sentence == "form.not_yuan"


def test_what_is_left_out_is_asked_for_only_where_it_is_needed():
    form = typed(a="", b=" ")
    assert form.whole("a", needed=False) is None and form.is_sound
    assert form.yuan("b") is None and form.troubles["b"].sentence == "form.missing"


def test_words_are_one_line():
    assert typed(why="because").line("why") == "because"
    for text in ("", "two\nlines", "x" * 201, "bell\x07"):
        form = typed(why=text)
        form.line("why")
        assert "why" in form.troubles


def test_a_form_with_a_file_is_read():
    body = (
        b'--B\r\nContent-Disposition: form-data; name="client_id"\r\n\r\nabc\r\n'
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="../a.csv"\r\n'
        b"Content-Type: text/csv\r\n\r\n1,\xe4\xb8\xad\r\n--B--\r\n"
    )
    form = form_read("multipart/form-data; boundary=B", body, str)
    assert form.client_id == "abc"
    assert form.files["file"].content == "1,中".encode()


def test_a_form_that_is_sent_again_gets_the_first_answer():
    async def story() -> None:
        once, count = Once(), 0

        async def act() -> int:
            nonlocal count
            count += 1
            await asyncio.sleep(0.01)
            return count

        client_id, other_id = once.new_id(), once.new_id()
        # A double click, and the back button later.
        assert await asyncio.gather(once.run(client_id, act), once.run(client_id, act)) == [1, 1]
        assert await once.run(client_id, act) == 1
        assert await once.run(other_id, act) == 2

    asyncio.run(story())


def test_who_goes_away_does_not_stop_what_was_sent():
    async def story() -> None:
        once, done = Once(), []

        async def act() -> None:
            await asyncio.sleep(0.01)
            done.append(1)

        client_id = once.new_id()
        visitor = asyncio.ensure_future(once.run(client_id, act))
        await asyncio.sleep(0)
        visitor.cancel()
        await once.run(client_id, act)
        assert done == [1]

    asyncio.run(story())


def test_an_id_of_an_earlier_run_is_not_known():
    assert not Once().knows(Once().new_id())
    assert not Once().knows("")
