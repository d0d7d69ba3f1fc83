"""What a Hub is asked through huggingface_hub, and each way in which that fails as one line.

    with answers(address):
        commit = connect().model_info(address.name).sha

HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE mean what they mean to every program that uses huggingface_hub.
"""

import contextlib
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from signs.command import Problem
from signs.inference.address import COMMIT, Address

DEFAULT = "https://huggingface.co"
SECONDS = 20.0  # that a Hub may be silent
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
MAIN, NAME = "main", "isolated-signs"  # a branch, and how a Hub knows this program
# Files travel in the one way that the tests know, and nothing is told of this machine.
WAYS = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
# What huggingface_hub raises where an answer is none of a Hub.
STRANGE = (ValueError, KeyError, TypeError, AttributeError, RuntimeError)


class Unreachable(Problem):
    """No Hub answers."""


def endpoint() -> str:
    """Where the Hub is; raises Problem where HF_ENDPOINT is no address of one."""
    address = os.environ.get("HF_ENDPOINT", "").rstrip("/") or DEFAULT
    try:
        parts = urlsplit(address)
        whole = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) and address.isprintable()
    except ValueError:
        whole = False
    if not whole or parts.username or parts.query or parts.fragment:
        raise Problem(f"HF_ENDPOINT is no address of a Hub, such as {DEFAULT}; set it anew, or unset it")
    return address


def library():
    """huggingface_hub; raises Problem where it is not installed. Nothing waits for it before it is needed."""
    for name, value in WAYS.items():
        os.environ.setdefault(name, value)
    try:
        import huggingface_hub
    except ModuleNotFoundError:
        raise Problem('no huggingface_hub is installed, which hf:// needs; pip install ".[hub]"') from None
    return huggingface_hub


def connect():
    """An HfApi of the Hub, whose requests do not wait for ever."""
    hub = library()
    hub.get_session().timeout = SECONDS
    return hub.HfApi(endpoint=endpoint(), library_name=NAME)


def commit_of(address: Address) -> str:
    """The commit that a revision is now, 40 hexadecimal digits; of none that of the branch `main`."""
    with answers(address):
        commit = connect().model_info(address.name, revision=address.revision or MAIN).sha
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise Problem(f"{address}: {endpoint()} names no commit")
    return commit


@contextlib.contextmanager
def answers(address: Address) -> Iterator[None]:
    """Raise as Problem what huggingface_hub raises within the block."""
    library()
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise Unreachable(f"{address}: HF_HUB_OFFLINE is set, so nothing is asked; unset it once") from None
    except errors.HfHubHTTPError as error:
        raise Problem(f"{address}: {refusal(error, errors, address)}") from None
    except errors.LocalTokenNotFoundError:
        raise Problem(f"{address}: no token; {LOG_IN}") from None
    except UnicodeEncodeError:  # headers are ASCII
        raise Problem(f"{address}: the token holds other letters than a token has; {LOG_IN}") from None
    except (httpx2.TransportError, ConnectionError) as error:
        raise Unreachable(f"{address}: {endpoint()} does not answer ({said(error)}); try again later") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, *STRANGE) as error:
        raise Problem(f"{address}: {endpoint()} answers otherwise than a Hub does ({said(error)})") from None


def refusal(error, errors, address: Address) -> str:
    """A Hub's refusal in words, and what to do."""
    status = error.response.status_code
    if isinstance(error, errors.GatedRepoError):
        return f"its owner wants to be asked; do that at {endpoint()}/{address.name}, then {LOG_IN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"no revision {address.revision or MAIN} there; name another, or none"
    if isinstance(error, errors.EntryNotFoundError):
        return "a file that it lists is not there; try again"
    if status == 401 or isinstance(error, errors.RepositoryNotFoundError):
        return f"no such model, or a private one of somebody else; look at the name, or {LOG_IN}"
    if status in (409, 412):
        return "somebody else has changed it meanwhile; try again"
    if status == 403:
        return f"the token may not do that; make one that may at {endpoint()}/settings/tokens"
    if status == 429:
        return f"{endpoint()} has been asked too often; wait some minutes, or {LOG_IN}"
    return f"{endpoint()} answers {status} {error.response.reason_phrase}; try again later"


def said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
