"""What a page of documentation shows of a shell, run: every command in one shell, and what each of them prints."""

import re
import subprocess

BETWEEN = "---- the next command ----"


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def transcript(page: str) -> list[tuple[str, str]]:
    """Commands and what they print. A command goes on behind a backslash at the end of its line, and inside quotes."""
    commands = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            command = lines.pop(0)
            while lines and (command.endswith("\\\n") or command.count("'") % 2):
                command += lines.pop(0)
            commands.append((command.rstrip("\n"), "".join(lines)))
    return commands


def check_transcript(page: str, address: str) -> int:
    """Run it against the server at `address`, instead of the one that the page tells of. How many commands it has."""
    commands = transcript(page)
    # In one shell, because what one of them has set the next ones use.
    script = f"\necho '{BETWEEN}'\n".join(command for command, _ in commands).replace("127.0.0.1:8000", address)
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    for (command, told), printed in zip(commands, done.stdout.split(BETWEEN), strict=True):
        assert _without_what_differs(printed) == _without_what_differs(told), command
    return len(commands)


def _without_what_differs(text: str) -> str:
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", text.strip())
    return re.sub(r'"request_id":"[^"]+"', '"request_id":"<id>"', text)
