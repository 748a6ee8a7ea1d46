"""What is in force: .env and the senders file as they were last found valid, and why what is on the disk is not."""

import re

import pytest

from schemas.env_file import EnvFileError
from web.reloading import ActiveConfiguration


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "senders.toml").write_text("first")
    (tmp_path / ".env").write_text(f"API_KEYS=one\nSENDERS_FILE={tmp_path}/senders.toml\nOUTER=of the file\nEMPTY\n")
    return tmp_path


@pytest.fixture
def environ():
    return {"OUTER": "of the process", "PATH": "/bin"}


@pytest.fixture
def active_configuration(folder, environ):
    made = ActiveConfiguration()
    made.read_env_file(environ, str(folder / ".env"))
    made.snapshot_senders()
    return made


def test_the_files_variables_are_added_and_the_processs_own_win(active_configuration, environ, folder):
    assert environ == {
        "OUTER": "of the process",
        "PATH": "/bin",
        "API_KEYS": "one",
        "SENDERS_FILE": f"{folder}/senders.toml",
    }
    assert (active_configuration.senders, active_configuration.errors) == ("first", ())


def test_a_byte_order_mark_is_no_part_of_the_first_name(folder):
    (folder / "senders.toml").write_text("first", "utf-8-sig")
    (folder / ".env").write_text(f"SENDERS_FILE={folder}/senders.toml\n", "utf-8-sig")
    made, environ = ActiveConfiguration(), {}
    made.read_env_file(environ, str(folder / ".env"))
    made.snapshot_senders()
    assert (list(environ), made.senders) == (["SENDERS_FILE"], "first")


def test_what_is_valid_is_put_in_force_as_a_whole(active_configuration, environ, folder):
    environ["SET_BY_THE_SERVER"] = "stays"
    (folder / ".env").write_text(f"API_KEYS=two\nNEW=1\nSENDERS_FILE={folder}/senders.toml\nOUTER=x\n")
    (folder / "senders.toml").write_text("second")
    asked = []

    def check(candidate, senders):
        asked.append((candidate["API_KEYS"], candidate["OUTER"], senders))
        return []

    assert active_configuration.reload(check) == ()
    assert asked == [("two", "of the process", "second")]
    assert (environ["API_KEYS"], environ["NEW"], environ["OUTER"]) == ("two", "1", "of the process")
    assert environ["SET_BY_THE_SERVER"] == "stays"
    (folder / ".env").write_text("API_KEYS=three\n")
    # Whatever has become of it in the process since.
    del environ["NEW"]
    active_configuration.reload(lambda _environ, _senders: [])
    assert "NEW" not in environ
    assert "SENDERS_FILE" not in environ
    assert active_configuration.senders is None


def test_what_is_broken_leaves_all_as_it_was_until_it_is_corrected(active_configuration, environ, folder):
    before = dict(environ)
    (folder / ".env").write_text(f"API_KEYS=two\nSENDERS_FILE={folder}/senders.toml\n")
    (folder / "senders.toml").write_text("broken")
    faults = ["senders.toml: [senders.a] x", "API_KEYS: y"]
    assert active_configuration.reload(lambda _environ, _senders: faults) == tuple(faults)
    assert environ == before
    assert (active_configuration.senders, active_configuration.errors) == ("first", tuple(faults))
    assert active_configuration.reload(lambda _environ, _senders: []) == ()
    assert (environ["API_KEYS"], active_configuration.senders, active_configuration.errors) == ("two", "broken", ())


def test_an_env_file_that_is_no_text_ends_a_start_and_leaves_a_running_service_as_it_was(
    active_configuration, environ, folder
):
    (folder / ".env").write_bytes(b"API_KEYS=\xff\xfe")
    fault = f"{folder}/.env can't be read: it is not a text in UTF-8"
    with pytest.raises(EnvFileError, match=re.escape(fault)):
        ActiveConfiguration().read_env_file({}, str(folder / ".env"))
    assert active_configuration.reload(lambda *_: []) == active_configuration.errors == (fault,)
    assert (environ["API_KEYS"], active_configuration.senders) == ("one", "first")


def test_a_line_of_another_form_ends_a_start_and_leaves_a_running_service_as_it_was(
    active_configuration, environ, folder
):
    (folder / ".env").write_text("API_KEYS='two' or so\nLOG_LEVEL=DEBUG\n")
    fault = f"{folder}/.env can't be read: line 1 is not of the form NAME=value"
    assert active_configuration.reload(lambda *_: []) == (fault,)
    assert (environ["API_KEYS"], "LOG_LEVEL" in environ) == ("one", False)


def test_an_env_file_that_the_system_does_not_give_says_why():
    # A file that even root reads no text from: what stands at the address 0.
    with pytest.raises(EnvFileError, match=r"^/proc/self/mem can't be read: Input/output error$"):
        ActiveConfiguration().read_env_file({}, "/proc/self/mem")


def test_a_process_that_has_read_no_env_file_is_checked_by_nothing_but_the_check():
    fresh, asked = ActiveConfiguration(), []
    assert (fresh.senders, fresh.errors) == (None, ())
    fresh.snapshot_senders()
    fresh.reload(lambda environ, senders: asked.append((environ, senders)) or [])
    assert (asked, fresh.senders, fresh.errors) == ([({}, None)], None, ())


def test_a_file_that_is_gone_is_left_to_the_check(active_configuration, folder):
    (folder / "senders.toml").unlink()
    asked = []
    active_configuration.reload(lambda _environ, senders: asked.append(senders) or ["gone"])
    assert asked == [None]
    assert active_configuration.senders == "first"


def test_the_configuration_file_that_is_run_again_reads_no_env_again(active_configuration, environ, folder):
    (folder / ".env").write_text("API_KEYS=two\n")
    active_configuration.read_env_file(environ, str(folder / ".env"))
    assert environ["API_KEYS"] == "one"
