"""PyAV, imported when a file is decoded, and its use by one thread of each worker process."""

from typing import Any

from ...runtime.errors import MissingPackage

THREADS_VERSION = 17  # whose `reformat` takes the number of threads; before it was one


def import_av(files: str) -> Any:
    """Import PyAV without FFmpeg's messages; raises `MissingPackage` that names `files`."""
    try:
        import av
    except ImportError as error:
        raise MissingPackage(f"{files} need PyAV: pip install 'pumice[train]'") from error
    av.logging.set_level(av.logging.PANIC)
    return av


def scale(av: Any, frame: Any, width: int, height: int, pixels: str, **options: Any) -> Any:
    """Scale a frame to `width` x `height` in one thread, in the pixel format `pixels`.

    To start threads for a frame costs several times its scaling; workers share the frames.
    """
    threads = {"threads": 1} if int(av.__version__.partition(".")[0]) >= THREADS_VERSION else {}
    return frame.reformat(width, height, pixels, **options, **threads)
