"""What one of the system's own programs prints."""

import asyncio
import contextlib

ANSWER_SECONDS = 10.0


async def printed(command: tuple[str, ...]) -> str | None:
    """None where the program is not there, fails or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            text, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return text.decode("utf-8", "replace") if process.returncode == 0 else None
