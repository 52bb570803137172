"""What an operator sets, and what is said when it cannot be."""

from pathlib import Path

import pytest

from holdfast.settings import Settings, WrongSettings, from_environment, without_effect

NOWHERE = Path("does-not-exist.env")


def test_nothing_set_is_a_development_server():
    assert from_environment({}, NOWHERE) == Settings()


def test_the_environment_wins_over_the_file(tmp_path):
    (tmp_path / ".env").write_text('# mail\nHOLDFAST_MAIL_FROM="a@example.org"\nHOLDFAST_SMTP_URL=smtp://127.0.0.1:1025\n')
    settings = from_environment({"HOLDFAST_MAIL_FROM": "b@example.org"}, tmp_path / ".env")
    assert (settings.mail_from, settings.smtp_url) == ("b@example.org", "smtp://127.0.0.1:1025")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"HOLDFAST_SMTP_URL": "mail.example.org"}, "HOLDFAST_SMTP_URL"),
        ({"HOLDFAST_SMTP_URL": "smtp://mail.example.org"}, "HOLDFAST_MAIL_FROM"),
        ({"HOLDFAST_DATABASE_URL": "mysql://x"}, "HOLDFAST_DATABASE_URL"),
        ({"HOLDFAST_MODEL_URL": "http://127.0.0.1:9"}, "HOLDFAST_MODEL_NAME"),
        ({"HOLDFAST_TOKEN_IN_QUERY": "perhaps"}, "HOLDFAST_TOKEN_IN_QUERY"),
        ({"HOLDFAST_PUBLIC_URL": "http://help.example.org"}, "HOLDFAST_PUBLIC_URL"),
        ({"HOLDFAST_PUBLIC_URL": "https://help.example.org"}, "HOLDFAST_TRUSTED_PROXIES"),
        ({"HOLDFAST_PUBLIC_URL": "https://help.example.org", "HOLDFAST_TRUSTED_PROXIES": "*"}, "HOLDFAST_TRUSTED_PROXIES"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(given, named):
    with pytest.raises(WrongSettings) as refused:
        from_environment(given, NOWHERE)
    assert named in str(refused.value)
    assert not any(value in str(refused.value) for value in given.values() if value != "*")


def test_a_name_that_is_not_known_is_told_apart():
    assert without_effect({"HOLDFAST_SMTP": "x", "HOLDFAST_TEST_POSTGRES": "off", "HOLDFAST_MAIL_FROM": "a@b.org"}, NOWHERE) == ["HOLDFAST_SMTP"]
