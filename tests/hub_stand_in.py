"""A Hub on this machine: as much of the HTTP API as huggingface_hub uses for a model, kept in memory.

    with stand_in() as hub:
        hub.add("anna/greetings", {"README.md": b"..."})        its commit
        HF_ENDPOINT=hub.address, HF_TOKEN=hub.token("anna")

What it does wrong on request, StandIn says; `requests` is what it was asked.
"""

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = re.compile(r"\.(?:bin|onnx|tflite|zip)\Z")  # files that go by LFS, as the Hub's .gitattributes says
PAGE = 4  # entries of a listing; the Hub has 1,000


@dataclass
class Repository:
    """commits: {SHA-1: {path: content}}; branches: {name: SHA-1}."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        rows = [(name, hashlib.sha1(content).hexdigest()) for name, content in sorted(files.items())]
        sha = hashlib.sha1(json.dumps([rows, len(self.commits)]).encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        return sha

    def find(self, revision: str) -> str | None:
        return self.branches.get(revision, revision if revision in self.commits else None)


class StandIn(ThreadingHTTPServer):
    """said: {path: bytes in the listing}; content: {path: what is sent instead}; cut: {path: [bytes after which a
    connection ends, one a request]}; elsewhere: where large files lie, if not here; after_listing: what is called once
    the last page of a listing is sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.repositories: dict[str, Repository] = {}
        self.accounts: dict[str, dict] = {}
        self.large: dict[str, bytes] = {}
        self.said, self.content, self.cut = {}, {}, {}
        self.elsewhere, self.requests, self.after_listing = self.address, [], []

    def add(self, name: str, files: dict[str, bytes], private: bool = False, branch: str = "main") -> str:
        """A commit of these files; its SHA-1."""
        repository = self.repositories.setdefault(name, Repository(private))
        self.large |= {hashlib.sha256(each).hexdigest(): each for path, each in files.items() if LARGE.search(path)}
        return repository.commit(files, branch)

    def token(self, name: str, groups: tuple[str, ...] = (), writes: bool = True) -> str:
        self.accounts[f"hf_{name}"] = {"name": name, "groups": groups, "writes": writes}
        return f"hf_{name}"

    def files(self, name: str) -> dict[str, bytes]:
        repository = self.repositories[name]
        return repository.commits[repository.branches["main"]]

    def asked(self, part: str, method: str = "GET") -> list[dict]:
        """Headers of the requests whose path has that part."""
        return [headers for verb, path, headers in self.requests if verb == method and part in path]


class Refused(Exception):
    pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def log_message(self, *_):
        pass

    def handle_any(self) -> None:
        url = urlsplit(self.path)
        self.server.requests.append((self.command, url.path, {k.lower(): v for k, v in self.headers.items()}))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            for method, pattern, answer in ROUTES:
                found = re.fullmatch(pattern, unquote(url.path))
                if found and self.command in method.split():
                    return answer(self, *found.groups(), query=parse_qs(url.query), body=body)
            self.send(404, b"{}")
        except Refused as refused:
            status, code = refused.args
            self.send(status, json.dumps({"error": code}).encode(), {"X-Error-Code": code})
        return None

    do_GET = do_HEAD = do_POST = do_PUT = handle_any  # noqa: N815

    def send(self, status: int, content: bytes = b"", headers: dict | None = None, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True

    def json(self, content, headers: dict | None = None) -> None:
        self.send(200, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    @property
    def account(self) -> dict | None:
        return self.server.accounts.get((self.headers.get("Authorization") or "").removeprefix("Bearer "))

    def may_write(self, owner: str) -> None:
        who = self.account
        if who is None or not who["writes"] or owner not in (who["name"], *who["groups"]):
            raise Refused(403 if who else 401, "Forbidden")

    def repository(self, name: str) -> Repository:
        """The repository, if whoever asks may see it."""
        found, who = self.server.repositories.get(name), self.account
        if found is None or found.private and not (who and name.split("/")[0] in (who["name"], *who["groups"])):
            raise Refused(404 if who else 401, "RepoNotFound")
        return found

    def commit_of(self, name: str, revision: str) -> tuple[str, dict[str, bytes]]:
        repository = self.repository(name)
        sha = repository.find(revision)
        if sha is None:
            raise Refused(404, "RevisionNotFound")
        return sha, repository.commits[sha]


def who(self: Handler, query, body) -> None:
    if self.account is None:
        raise Refused(401, "Unauthorized")
    groups = [{"name": name} for name in self.account["groups"]]
    self.json({"type": "user", "name": self.account["name"], "orgs": groups})


def info(self: Handler, name, revision, query, body) -> None:
    sha, files = self.commit_of(name, revision or "main")
    about = {"id": name, "sha": sha, "private": self.repository(name).private, "tags": [], "downloads": 0}
    self.json({**about, "siblings": [{"rfilename": path} for path in files]})


def tree(self: Handler, name, revision, query, body) -> None:
    _, files = self.commit_of(name, revision)
    rows = [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders_of(files)]
    for path, content in files.items():
        size = self.server.said.get(path, len(content))
        row = {"type": "file", "path": path, "size": size, "oid": hashlib.sha1(content).hexdigest()}
        if LARGE.search(path):
            row["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": size, "pointerSize": 130}
        rows.append(row)
    start = int(query.get("cursor", ["0"])[0])
    more = f"{self.server.address}{urlsplit(self.path).path}?recursive=True&cursor={start + PAGE}"
    last = len(rows) <= start + PAGE
    self.json(rows[start : start + PAGE], {} if last else {"Link": f'<{more}>; rel="next"'})
    while last and self.server.after_listing:
        self.server.after_listing.pop()()


def folders_of(files: dict[str, bytes]) -> list[str]:
    parts = [path.split("/")[:-1] for path in files]
    return sorted({"/".join(row[: end + 1]) for row in parts for end in range(len(row))})


def resolve(self: Handler, name, revision, path, query, body) -> None:
    sha, files = self.commit_of(name, revision)
    if path not in files:
        raise Refused(404, "EntryNotFound")
    about = {"X-Repo-Commit": sha, "ETag": f'"{hashlib.sha256(files[path]).hexdigest()}"'}
    if LARGE.search(path):
        place = f"{self.server.elsewhere}/large/{hashlib.sha256(files[path]).hexdigest()}?name={path}"
        return self.send(302, b"", {**about, "Location": place, "X-Linked-Size": len(files[path])})
    return part_of(self, path, files[path], about)


def large(self: Handler, digest, query, body) -> None:
    if self.command == "PUT":
        assert hashlib.sha256(body).hexdigest() == digest
        self.server.large[digest] = body
        return self.send(200)
    return part_of(self, query["name"][0], self.server.large.get(digest, b""), {})


def part_of(self: Handler, path: str, content: bytes, headers: dict) -> None:
    """All of a file, or what is asked for of it; not all of that where the connection is to end."""
    content = self.server.content.get(path, content)
    cut = self.server.cut[path].pop(0) if self.server.cut.get(path) else None
    begin = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
    if not begin:
        return self.send(200, content, headers, cut)
    if int(begin[1]) >= len(content):
        return self.send(416)
    whole = {"Content-Range": f"bytes {begin[1]}-{len(content) - 1}/{len(content)}"}
    return self.send(206, content[int(begin[1]) :], headers | whole, cut)


def create(self: Handler, query, body) -> None:
    about = json.loads(body)
    owner = about["organization"] or self.account["name"]
    self.may_write(owner)
    name = f"{owner}/{about['name']}"
    if name in self.server.repositories:
        raise Refused(409, "Conflict")
    self.server.add(name, {".gitattributes": b"*.bin filter=lfs\n"}, about.get("visibility") == "private")
    self.json({"url": f"{self.server.address}/{name}"})


def preupload(self: Handler, name, revision, query, body) -> None:
    self.may_write(name.split("/")[0])
    paths = [row["path"] for row in json.loads(body)["files"]]
    rows = [{"path": path, "uploadMode": "lfs" if LARGE.search(path) else "regular"} for path in paths]
    self.json({"files": [{**row, "shouldIgnore": False, "oid": None} for row in rows]})


def batch(self: Handler, name, query, body) -> None:
    self.may_write(name.split("/")[0])
    rows = []
    for row in json.loads(body)["objects"]:
        place = {"upload": {"href": f"{self.server.address}/large/{row['oid']}", "header": {}}}
        rows.append({**row, **({} if row["oid"] in self.server.large else {"actions": place})})
    self.json({"transfer": "basic", "objects": rows})


def commit(self: Handler, name, revision, query, body) -> None:
    self.may_write(name.split("/")[0])
    sha, files = self.commit_of(name, revision)
    files = dict(files)
    for line in body.splitlines():
        row = json.loads(line)
        about = row["value"]
        if row["key"] == "header" and about.get("parentCommit", sha) != sha:
            raise Refused(412, "Conflict")
        if row["key"] == "file":
            files[about["path"]] = base64.b64decode(about["content"])
        elif row["key"] == "lfsFile":
            files[about["path"]] = self.server.large[about["oid"]]
        elif row["key"] == "deletedFile":
            del files[about["path"]]
    made = self.repository(name).commit(files)
    self.json({"commitUrl": f"{self.server.address}/{name}/commit/{made}", "commitOid": made})


NAME = r"([^/]+/[^/]+)"
ROUTES = [
    ("GET", "/api/whoami-v2", who),
    ("GET", f"/api/models/{NAME}(?:/revision/(.+))?", info),
    ("GET", f"/api/models/{NAME}/tree/(.+)", tree),
    ("GET HEAD", f"/{NAME}/resolve/([^/]+)/(.+)", resolve),
    ("GET HEAD PUT", "/large/([0-9a-f]{64})", large),
    ("POST", "/api/repos/create", create),
    ("POST", "/api/validate-yaml", lambda self, query, body: self.json({"errors": [], "warnings": []})),
    ("POST", f"/api/models/{NAME}/preupload/(.+)", preupload),
    ("POST", rf"/{NAME}\.git/info/lfs/objects/batch", batch),
    ("POST", f"/api/models/{NAME}/commit/(.+)", commit),
]


@contextlib.contextmanager
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
