"""A shared model sent to a Hub, as one commit: what share.py's zip holds, and a README.md beside it.

    place = look(address, public=False)      who sends, and what lies there now; Problem where it must not be sent
    commit = send(place, folder)             every file of a folder

Nothing is made or changed before `send`.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

from signs.command import Problem
from signs.inference import hub, sign_loops
from signs.inference.address import Address
from signs.inference.hub_download import MOST_LISTED, USUAL
from signs.inference.manifest import MANIFEST, most_bytes

CARD = "README.md"


@dataclass(frozen=True)
class Place:
    """A repository before a model is sent to it.

    account: who sends; public: whether everybody can read it; commit: what it holds now, None where it is to be made;
    files: of a shared model, in that commit.
    """

    address: Address
    account: str
    public: bool
    commit: str | None
    files: tuple[str, ...] = ()

    def gone(self, folder: Path) -> list[str]:
        """Files of the model there that the one in a folder has no more."""
        return [name for name in self.files if not (folder / name).is_file()]


def look(address: Address, public: bool) -> Place:
    """What is there now; raises Problem where the token may not write there, or it is no model of share.py, or others
    may read it than are meant to."""
    if address.revision:
        raise Problem(f"{address}: a model goes to a new commit; leave @{address.revision} out")
    account, groups = whoami(address)
    if address.name.split("/")[0] not in (account, *groups):
        owners = f"hf://{account}/{address.name.split('/')[1]} would be yours"
        raise Problem(f"{address}: the token is of {account}, who has no part in that; {owners}")
    with hub.answers(address):
        from huggingface_hub.errors import RepositoryNotFoundError

        api = hub.connect()
        try:
            info = api.model_info(address.name)
        except RepositoryNotFoundError:
            return Place(address, account, public, None)
        if public == info.private:
            now, flag = ("private", "leave --public out") if info.private else ("public", "add --public if it may be")
            raise Problem(f"{address}: there already, and {now}: {flag}")
        tree = itertools.islice(api.list_repo_tree(address.name, recursive=True), MOST_LISTED)
        names = [entry.path for entry in tree if hasattr(entry, "size")]
    if MANIFEST not in names and set(names) - set(USUAL):
        raise Problem(f"{address}: there already, and no model of share.py; choose another name")
    return Place(address, account, public, info.sha, tuple(name for name in names if most_bytes(name) is not None))


def whoami(address: Address) -> tuple[str, list[str]]:
    """Whose token it is, and the names of the groups that he is in."""
    with hub.answers(address):
        from huggingface_hub.errors import HfHubHTTPError

        try:
            about = hub.connect().whoami()
        except HfHubHTTPError as error:
            if error.response.status_code == 401:
                raise Problem(f"{address}: the token is not valid, or no more; {hub.LOG_IN}") from None
            raise
        return about["name"], [group["name"] for group in about.get("orgs", ())]


def send(place: Place, folder: Path, title: str) -> str:
    """Make the repository if it is not there, and commit every file of a folder; the commit. What a model of before had
    goes in the same commit; title: of it."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    with hub.answers(place.address):
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        api = hub.connect()
        if place.commit is None:
            api.create_repo(place.address.name, private=not place.public)
        operations = [CommitOperationAdd(name, str(folder / name)) for name in names]
        operations += [CommitOperationDelete(name) for name in place.gone(folder)]
        done = api.create_commit(
            place.address.name, operations, commit_message=title, parent_commit=place.commit, revision=hub.MAIN
        )
    return done.oid


def kept_loops(gone: list[str]) -> list[str]:
    """Of what goes: loops of people, which earlier commits still show."""
    return [name for name in gone if name.startswith(f"{sign_loops.FOLDER}/")]
