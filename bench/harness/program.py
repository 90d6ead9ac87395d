"""How the tools start and end."""

import signal
import sys
from typing import Callable

from .errors import BenchError


def run(name: str, main: Callable[[], int]) -> None:
    """Exits with main's status, or 2 and a sentence. Being terminated unwinds as being interrupted does, so that every
    server is ended; a closed pipe ends quietly."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(main())
    except BenchError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
