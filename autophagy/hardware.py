"""What the command line tells JAX about the machine: devices, and where compiled programs are kept.

Only commands do this; the library leaves JAX as whoever uses it has set it up.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from pathlib import Path

from autophagy.arguments import UsageError

VARIABLE = "JAX_COMPILATION_CACHE_DIR"
OFF = "off"
KEEP_ALL = {  # by default JAX keeps what took a second to compile: nothing of ours
    "jax_persistent_cache_min_compile_time_secs": 0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


def use(devices: int | None = None, cache: str | None = None) -> None:
    """Set JAX up for a command.

    Args:
        devices: on a CPU, as many JAX devices, as many as there are cores if None: its loops do not spread
            over cores by themselves. Accelerators are what they are.
        cache: a folder for compiled programs, or `off`.

    Raises:
        UsageError: if that folder cannot be made.
    """
    import jax

    # whoever used JAX before calling main() has chosen already
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", devices or _cores())
    _use_cache(cache or os.environ.get(VARIABLE) or None)


def _use_cache(asked: str | None) -> None:
    """Keep compiled programs: where asked to, by default only for accelerators."""
    import jax

    if asked == OFF:
        jax.config.update("jax_compilation_cache_dir", None)
        return
    if asked is None and jax.default_backend() == "cpu":
        return
    folder = (Path(asked).expanduser() if asked else _default_folder()) / _kind()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if asked is None:
            return
        raise UsageError(f"--compilation-cache {asked}: {error.strerror or error}") from None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    for name, value in KEEP_ALL.items():
        if name.upper() not in os.environ:
            jax.config.update(name, value)


def _default_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autophagy" / "compiled"


def _kind() -> str:
    """Names what may share compiled programs: one jaxlib, one kind of device, one kind of processor.

    JAX's own keys leave the processor out, and code for another one's instructions must not be loaded.
    """
    import jax
    import jaxlib

    device = jax.local_devices()[0]
    known = "\n".join((device.device_kind, platform.machine(), *_processor()))
    return f"jaxlib-{jaxlib.__version__}-{device.platform}-{hashlib.sha256(known.encode()).hexdigest()[:12]}"


def _processor() -> list[str]:
    """The processor's name and instruction sets, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return [platform.processor(), sys.platform]
    first = text.partition("\n\n")[0].splitlines()
    return [line for line in first if line.startswith(("model name", "flags", "Features", "CPU part"))]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
