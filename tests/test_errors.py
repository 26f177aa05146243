"""What a user reads when something is his to mend."""

from greencode_lsp.errors import UserError


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    said = str(UserError("a.json: 'x\ny\r\n\x1b[31m\0\u2028\ud800z' is wrong;\n  fetch it again"))
    assert said == "a.json: 'x y [31m z' is wrong; fetch it again"


def test_a_long_message_keeps_its_beginning_and_its_cure() -> None:
    said = str(UserError(f"a.json: {'x' * 10_000} is wrong; fetch it again"))
    assert said.startswith("a.json: xxx") and said.endswith("xxx is wrong; fetch it again")
    assert len(said) < 1010


def test_an_ordinary_message_stays_as_it_is() -> None:
    assert str(UserError("Größe: 3 MB, höchstens 2 µ")) == "Größe: 3 MB, höchstens 2 µ"
