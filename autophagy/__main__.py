"""The command `autophagy`: bad input is one sentence and exit code 2; no traceback is meant for a user."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from autophagy.arguments import UsageError, parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done. 1: a verdict `disagrees`. 2: bad input. 3: asked by name for what has no closed form.
    """
    try:
        options = parse(arguments)
        from autophagy.commands import run

        code = run(options)
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _refuse(error, 2)
    except KeyboardInterrupt:
        return _refuse("interrupted", 130)
    except BrokenPipeError:
        # The reader left, as `| head` does; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _refuse(reason: object, code: int) -> int:
    print(f"autophagy: {reason}".replace("\n", " "), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
