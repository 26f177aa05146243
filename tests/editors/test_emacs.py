"""The README's lines for Emacs in a real Emacs, with the real server and the real default model."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import HANG_SECONDS

ROOT = Path(__file__).parents[2]

LOADS_EGLOT = "(condition-case nil (progn (package-initialize) (require 'eglot)) (error (kill-emacs 3)))"

COMPLETE = """
(setq eglot-sync-connect HANG_SECONDS eglot-connect-timeout HANG_SECONDS)
(find-file "stack.py")
(python-mode)
(apply #'eglot (eglot--guess-contact))
(goto-char (point-max))
(let ((tries (* 2 HANG_SECONDS)) found)
  (while (and (> (setq tries (1- tries)) 0) (not found))
    (accept-process-output nil 0.5)
    (let ((table (nth 2 (eglot-completion-at-point))))
      (setq found (and table (all-completions "" table)))))
  (princ (json-encode (mapcar #'substring-no-properties found))))
(eglot-shutdown-all)
"""

STACK = '''class Stack:
    def __init__(self):
        self.items = []

    def is_empty(self):
        """Say whether there are no items."""
        return '''


def emacs() -> str | None:
    """Return an Emacs that has eglot: it ships with 29, and is a package for earlier ones."""
    program = shutil.which("emacs")
    if program is None:
        return None
    return program if subprocess.run([program, "--batch", "--eval", LOADS_EGLOT], check=False).returncode == 0 else None


PROGRAM = emacs()


@pytest.mark.skipif(PROGRAM is None, reason="no Emacs with eglot")
def test_emacs_gets_completions_by_the_lines_of_the_readme(default_bundle_folder: Path, tmp_path: Path) -> None:
    found = re.search(r"```elisp\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    (tmp_path / "stack.py").write_text(STACK)
    complete = COMPLETE.replace("HANG_SECONDS", str(HANG_SECONDS))
    (tmp_path / "run.el").write_text(f"(package-initialize)\n(require 'eglot)\n{found[1]}\n{complete}")
    beside = str(Path(sys.executable).parent)
    ran = subprocess.run(
        [str(PROGRAM), "--batch", "-l", "run.el"],
        cwd=tmp_path,
        env={**os.environ, "PATH": beside + os.pathsep + os.environ["PATH"], "GREENCODE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert any(label.startswith("len(self.items) == 0") for label in json.loads(ran.stdout)), ran.stdout
