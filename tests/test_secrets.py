"""No secret is in the tree or in any commit: every line that was ever added is looked at."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parent.parent
DETECTORS = (
    "ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "CloudantDetector",
    "DiscordBotTokenDetector", "GitHubTokenDetector", "GitLabTokenDetector", "IbmCloudIamDetector",
    "IbmCosHmacDetector", "JwtTokenDetector", "MailchimpDetector", "NpmDetector", "OpenAIDetector",
    "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector", "SlackDetector", "SoftlayerDetector",
    "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector",
)  # fmt: skip
# A cheap sieve: what none of the detectors could match need not be shown to all of them.
LIKELY = re.compile(r"://[^/\s]*:[^/\s]*@|-----BEGIN|eyJ|AKIA|ASIA|sk-|sk_|gh[pousr]_|glpat|xox|[A-Za-z0-9_-]{24,}")
KNOWN = {
    "sk-proj-your-actual-api-key-here",  # the deployment guide's placeholder
    "hunter2",  # in tests that look for it afterwards
    "canary-word",
}


def secrets_in(lines: Iterator[str]) -> list[str]:
    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS]}):
        found = [
            f"{secret.type}: {secret.secret_value}"
            for line in lines
            if LIKELY.search(line)
            for secret in scan_line(line)
        ]
    return [one for one in found if not any(known in one for known in KNOWN)]


def added_lines() -> Iterator[str]:
    """Every line of text that any commit has ever added."""
    command = ["git", "log", "--all", "-p", "--unified=0", "--no-color", "--no-ext-diff"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("+") and not line.startswith("+++"):
            yield line[1:]


def test_the_scan_finds_what_is_there() -> None:
    """Made-up secrets of several kinds are all found, so that a clean scan says something."""
    planted = [
        "key = 'AKIA" + "IOSFODNN7EXAMPLX'",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "url = 'https://user:" + "correcthorsebattery@host.example/'",
        "token: gh" + "p_abcdefghijklmnopqrstuvwxyz0123456789",
    ]
    assert len(secrets_in(iter(planted))) >= len(planted)


def test_no_commit_holds_a_secret() -> None:
    """The tree is what the commits have added, so this covers both; uncommitted files are checked before a commit."""
    assert (ROOT / ".git").exists(), "이 검사는 git 저장소에서 돌려 주세요"
    assert secrets_in(added_lines()) == []


def test_no_file_holds_a_secret() -> None:
    """What is about to be committed, too."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    paths = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    texts = (path.read_bytes().decode("utf-8", "ignore") for path in paths if path.suffix not in (".npz", ".png"))
    assert secrets_in(line for text in texts for line in text.splitlines()) == []
