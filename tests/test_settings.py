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


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.org/v1",
        "https://10.0.0.7:8443",
        "http://127.0.0.1:11434/v1",
        "http://localhost:11434",
        "http://[::1]:8080/v1",
        "http://192.168.1.20:8000",
        "http://172.20.0.3",
        "http://[fd12:3456::1]:8000",
    ],
)
def test_a_model_may_be_anywhere_with_tls_and_near_without(url):
    assert from_environment({"HOLDFAST_MODEL_URL": url, "HOLDFAST_MODEL_NAME": "m"}, NOWHERE).model_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.org/v1",
        "http://8.8.8.8",
        "http://[::ffff:8.8.8.8]",
        "http://134744072",
        "https://169.254.169.254/latest",
        "http://169.254.10.1",
        "https://2852039166",
        "https://0xa9fea9fe",
        "https://[::ffff:169.254.169.254]",
        "https://[fe80::1%25eth0]",
        "https://[fd00:ec2::254]",
        "http://192.0.0.192",
        "https://100.100.100.200",
        "http://0.0.0.0:8000",
        "ftp://127.0.0.1",
        "api.example.org/v1",
        "https:///v1",
        "https://[::1",
    ],
)
def test_no_model_is_asked_in_clear_from_afar_or_where_a_cloud_keeps_its_secrets(url):
    with pytest.raises(WrongSettings, match="HOLDFAST_MODEL_URL") as refused:
        from_environment({"HOLDFAST_MODEL_URL": url, "HOLDFAST_MODEL_NAME": "m"}, NOWHERE)
    assert url not in str(refused.value)


def test_a_name_that_is_not_known_is_told_apart():
    assert without_effect({"HOLDFAST_SMTP": "x", "HOLDFAST_TEST_POSTGRES": "off", "HOLDFAST_MAIL_FROM": "a@b.org"}, NOWHERE) == ["HOLDFAST_SMTP"]
