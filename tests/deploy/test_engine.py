"""The stand-in for a container engine does what a Dockerfile says, and reports what it cannot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.deploy import dockerfile, engine

SMALL = """
ARG PYTHON=3.13
FROM python:${PYTHON}-slim AS made
WORKDIR /here
COPY . .
# a comment between
ARG WORD="two words"
RUN mkdir /out \\
    && echo "${WORD}" >/out/word \\
    && cp kept/file /out/ && which python >/out/python
FROM python:${PYTHON}-slim
COPY --from=made /out /taken
ENV FIRST=/first PATH=/first/bin:${PATH}
USER 10001:10001
CMD ["cat", "/taken/word"]
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "kept").mkdir(parents=True)
    (folder / "kept" / "file").write_text("kept")
    (folder / "secret").write_text("secret")
    (folder / "Dockerfile").write_text(SMALL)
    (folder / "ignore").write_text("*\n!kept\n**/*.pyc\n")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return folder


def test_a_file_is_read_with_its_arguments(context: Path) -> None:
    made, last = dockerfile.read(context / "Dockerfile", {"WORD": "other", "PYTHON": "3.12"})
    assert (made.name, made.base, last.base) == ("made", "python:3.12-slim", "python:3.12-slim")
    assert [one.word for one in made.steps] == ["WORKDIR", "COPY", "RUN"]
    assert made.steps[1].env == {}
    assert made.steps[2].env == {"WORD": "other"}
    assert last.env["PATH"].startswith("/first/bin:/usr/local/bin:")
    assert (last.says["USER"], last.command("CMD")) == ("10001:10001", ["cat", "/taken/word"])


def test_a_word_that_is_not_known_is_an_error(context: Path) -> None:
    (context / "Dockerfile").write_text(SMALL + "ONBUILD RUN true\n")
    with pytest.raises(ValueError, match="ONBUILD is not known"):
        dockerfile.read(context / "Dockerfile")


def test_stages_are_layers_over_this_machine_and_touch_nothing_of_it(context: Path, tmp_path: Path) -> None:
    if why := engine.why_not():
        pytest.skip(why)
    stages = dockerfile.read(context / "Dockerfile")
    image = engine.build(stages, context, context / "ignore", tmp_path / "layers")
    assert image.inside("/taken/word").read_text() == "two words\n"
    assert image.inside("/taken/python").read_text() == "/base/bin/python\n"
    assert not image.inside("/here").exists()
    assert not (tmp_path / "layers" / "made" / "upper" / "here" / "secret").exists()
    done = subprocess.run(
        image.command(stages[-1].command("CMD"), stages[-1].env, user="10001:10001"),
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("two words\n", "")
    assert not Path("/taken").exists()
    assert not Path("/base").exists()


def test_a_step_that_fails_says_what_it_printed(context: Path, tmp_path: Path) -> None:
    if why := engine.why_not():
        pytest.skip(why)
    (context / "Dockerfile").write_text("FROM x\nRUN echo no such thing && exit 3\n")
    with pytest.raises(engine.StepFailedError, match=r"ended with 3:\nno such thing"):
        engine.build(
            dockerfile.read(context / "Dockerfile"), context, context / "ignore", tmp_path / "layers"
        )
