"""A Hub in this process: real pushes and downloads of huggingface_hub, transformers and datasets, without network.

It keeps repositories with branches and commits in memory, checks tokens and the digest of uploaded LFS files, and does
on request what real networks and servers do: see `LoopbackHub.inject`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

WRITER, READER = "hf_writer", "hf_reader"  # tokens: one may write to me/…, the other to nothing
LFS_NAMES = (".safetensors", ".parquet", ".bin", ".pt", ".pkl", ".arrow")
FAULTS = ("status", "drop", "lost", "slow", "stall", "truncate", "corrupt")


@dataclass(frozen=True)
class Blob:
    data: bytes
    lfs: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        """What git calls the file: for LFS files, its pointer."""
        data = self.data
        if self.lfs:
            pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(data)}\n"
            data = pointer.encode()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    def entry(self, path: str) -> dict:
        entry = {"type": "file", "path": path, "size": len(self.data), "oid": self.oid}
        if self.lfs:
            entry["lfs"] = {"oid": self.sha256, "size": len(self.data), "pointerSize": 134}
        return entry


@dataclass
class Repo:
    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)  # name -> commit
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)  # commit -> path -> file
    history: list[str] = field(default_factory=list)

    def commit(self, branch: str, files: dict[str, Blob]) -> str:
        text = repr((len(self.history), branch, sorted((path, blob.oid) for path, blob in files.items())))
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        self.history.append(sha)
        return sha

    def at(self, revision: str) -> str | None:
        """The commit of a branch, or a commit itself."""
        return self.branches.get(revision, revision if revision in self.commits else None)


@dataclass
class Fault:
    pattern: re.Pattern
    kind: str
    times: int
    value: float
    skip: int = 0


class LoopbackHub:
    """The server; a context manager. `repos` has ("model", "me/adder") -> Repo; `requests` the lines "METHOD path"."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}  # LFS: sha256 -> content
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> LoopbackHub:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *problem) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()

    def inject(self, pattern: str, kind: str, *, times: int = 1, value: float = 500, skip: int = 0) -> None:
        """Spoil the next `times` requests whose "METHOD path" matches, after `skip` such requests.

        kind: "status": answer with the status `value`; "drop": hang up instead of answering; "lost": do what is asked,
        then hang up; "slow": answer after `value` seconds; "stall": never answer; "truncate", "corrupt": lose half of
        the body that is stored or sent, or change a byte of it.
        """
        assert kind in FAULTS
        self.faults.append(Fault(re.compile(pattern), kind, times, value, skip))

    def fault(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.pattern.search(line):
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None

    def files(self, repo_id: str, repo_type: str = "model", revision: str = "main") -> dict[str, bytes]:
        repo = self.repos[repo_type, repo_id]
        return {path: blob.data for path, blob in repo.commits[repo.at(revision)].items()}

    def put(self, repo_id: str, files: dict[str, bytes], repo_type: str = "model", branch: str = "main") -> str:
        """Make a repository, or a commit in it, without asking anybody; returns the commit."""
        repo = self.repos.setdefault((repo_type, repo_id), Repo())
        return repo.commit(branch, {path: Blob(data, path.endswith(LFS_NAMES)) for path, data in files.items()})


class _Answer(Exception):
    """Ends a request."""

    def __init__(self, status: int, body=b"", headers: dict[str, str] | None = None) -> None:
        self.status, self.headers = status, dict(headers or {})
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        if not isinstance(body, bytes):
            self.headers["Content-Type"] = "application/json"


def _refuse(status: int, code: str, message: str) -> _Answer:
    return _Answer(status, {"error": message}, {"X-Error-Code": code, "X-Error-Message": message})


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the other side hung up
            super().handle()

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        self.where, self.query = unquote(split.path), parse_qs(split.query)
        line = f"{self.command} {self.where}"
        self.hub.requests.append(line)
        self.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.sent = self._chunks()
        fault = self.hub.fault(line)
        kind = fault.kind if fault else None
        if kind == "stall":
            self.hub.stop.wait()
        if kind == "slow":
            self.hub.stop.wait(fault.value)
        if kind in ("drop", "stall"):
            self.close_connection = True
            return
        if kind in ("truncate", "corrupt") and self.command == "PUT":
            self.sent = _spoil(self.sent, kind)
        try:
            if kind == "status":
                raise _Answer(int(fault.value), {"error": "injected"})
            with self.hub.lock:
                self._route()
            raise _refuse(404, "EntryNotFound", f"no such endpoint: {line}")
        except _Answer as answer:
            if kind == "lost":
                self.close_connection = True
                return
            self._send(answer, kind if self.command == "GET" else None)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, answer: _Answer, fault: str | None) -> None:
        body = answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault in ("truncate", "corrupt"):
            body = _spoil(body, fault)
            self.close_connection = fault == "truncate"
        self.wfile.write(body)

    # ---- who is asking

    def _token(self) -> str | None:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None

    def _may_write(self, owner: str) -> None:
        token = self._token()
        if token not in (WRITER, READER):
            raise _Answer(401, {"error": "Invalid credentials in Authorization header"})
        if token == READER or owner != "me":
            raise _Answer(403, {"error": f"You don't have the rights to write to {owner}."})

    def _repo(self, kind: str, name: str) -> Repo:
        repo = self.hub.repos.get((kind, name))
        if repo is None or (repo.private and self._token() not in (WRITER, READER)):
            raise _refuse(401 if self._token() is None else 404, "RepoNotFound", "Repository not found")
        return repo

    def _files(self, repo: Repo, revision: str) -> tuple[str, dict[str, Blob]]:
        sha = repo.at(revision)
        if sha is None:
            raise _refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return sha, repo.commits[sha]

    # ---- what is asked

    def _route(self) -> None:
        where, command = self.where, self.command
        if where == "/api/whoami-v2":
            self._may_write("me")
            raise _Answer(200, {"type": "user", "name": "me", "orgs": [], "auth": {"type": "access_token"}})
        if where == "/api/repos/create":
            self._create(self._json())
        if where == "/api/validate-yaml":
            found = check_card(self._json()["content"])
            raise _Answer(400 if found["errors"] else 200, found)
        if found := re.fullmatch(r"/lfs/([0-9a-f]{64})(/verify)?", where):
            self._store(*found.groups())
        if found := re.fullmatch(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", where):
            self._lfs_batch(found[2])
        if found := re.fullmatch(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", where):
            self._resolve((found[1] or "models").rstrip("s"), *found.groups()[1:])
        if found := re.fullmatch(r"/api/(model|dataset|space)s/([^/]+/[^/]+)(?:/(.*))?", where):
            kind, name, rest = found[1], found[2], found[3] or ""
            action, _, argument = rest.partition("/")
            repo = self._repo(kind, name)
            if command == "GET" and action in ("", "revision"):
                self._info(repo, name, argument or "main")
            if command == "GET" and action == "tree":
                self._tree(repo, argument)
            if command == "GET" and action == "refs":
                branches = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": c} for n, c in repo.branches.items()]
                raise _Answer(200, {"branches": branches, "tags": [], "converts": []})
            if command == "POST" and action == "paths-info":
                self._paths(repo, argument)
            if command == "POST" and action == "preupload":
                self._may_write(name.split("/")[0])
                self._preupload(repo, argument)
            if command == "POST" and action == "branch":
                self._may_write(name.split("/")[0])
                if argument in repo.branches:
                    raise _Answer(409, {"error": f"Reference already exists: {argument}"})
                repo.branches[argument] = repo.branches["main"]
                raise _Answer(200, {})
            if command == "POST" and action == "commit":
                self._may_write(name.split("/")[0])
                self._commit(repo, kind, name, argument)

    def _json(self) -> dict:
        return json.loads(self.sent)

    def _create(self, wanted: dict) -> None:
        owner = wanted.get("organization") or "me"
        self._may_write(owner)
        name, kind = f"{owner}/{wanted['name']}", wanted.get("type") or "model"
        prefix = "" if kind == "model" else f"{kind}s/"
        url = f"{self.hub.url}/{prefix}{name}"
        if (kind, name) in self.hub.repos:
            raise _Answer(409, {"error": "You already created this repo", "url": url})
        repo = Repo(private=bool(wanted.get("private") or wanted.get("visibility") == "private"))
        repo.commit("main", {".gitattributes": Blob(b"*.safetensors filter=lfs\n")})
        self.hub.repos[kind, name] = repo
        raise _Answer(200, {"url": url, "name": name})

    def _info(self, repo: Repo, name: str, revision: str) -> None:
        sha, files = self._files(repo, revision)
        card = files.get("README.md")
        with_sizes = "blobs" in self.query
        siblings = []
        for path, blob in files.items():
            entry = {"rfilename": path}
            if with_sizes:
                entry |= {"size": len(blob.data), "blobId": blob.oid}
                if blob.lfs:
                    entry["lfs"] = {"sha256": blob.sha256, "size": len(blob.data), "pointerSize": 134}
            siblings.append(entry)
        answer = {"id": name, "modelId": name, "sha": sha, "private": repo.private, "siblings": siblings, "tags": []}
        answer |= {"author": name.split("/")[0], "downloads": 0, "likes": 0, "gated": False, "disabled": False}
        if card is not None:
            answer["cardData"] = front_matter(card.data.decode())
        raise _Answer(200, answer)

    def _tree(self, repo: Repo, argument: str) -> None:
        revision, _, folder = argument.partition("/")
        _, files = self._files(repo, revision)
        prefix = f"{folder.rstrip('/')}/" if folder else ""
        inside = {path: blob for path, blob in files.items() if path.startswith(prefix)}
        if folder and not inside:
            raise _refuse(404, "EntryNotFound", f"{folder} does not exist on {revision}")
        recursive = self.query.get("recursive", ["False"])[0].lower() in ("true", "1")
        entries, folders = [], {}
        for path, blob in inside.items():
            parts = path[len(prefix) :].split("/")
            for depth in range(1, len(parts) if recursive else min(2, len(parts))):
                folders[prefix + "/".join(parts[:depth])] = None
            if recursive or len(parts) == 1:
                entries.append(blob.entry(path))
        entries += [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in folders]
        raise _Answer(200, entries)

    def _paths(self, repo: Repo, revision: str) -> None:
        wanted = self._json() if self.sent[:1] == b"{" else parse_qs(self.sent.decode())
        _, files = self._files(repo, revision)
        found = [files[path].entry(path) for path in wanted["paths"] if path in files]
        for path in wanted["paths"]:
            if path not in files and any(name.startswith(f"{path}/") for name in files):
                found.append({"type": "directory", "path": path, "size": 0, "oid": "0" * 40})
        raise _Answer(200, found)

    def _preupload(self, repo: Repo, revision: str) -> None:
        _, files = self._files(repo, revision)
        modes = []
        for item in self._json()["files"]:
            path = item["path"]
            mode = "lfs" if path.endswith(LFS_NAMES) else "regular"
            blob = files.get(path)
            oid = blob and (blob.sha256 if blob.lfs else blob.oid)
            modes.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        raise _Answer(200, {"files": modes})

    def _lfs_batch(self, name: str) -> None:
        self._may_write(name.split("/")[0])
        answers = []
        for item in self._json()["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if item["oid"] not in self.hub.objects:
                href = f"{self.hub.url}/lfs/{item['oid']}"
                answer["actions"] = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
            answers.append(answer)
        raise _Answer(200, {"transfer": "basic", "objects": answers})

    def _store(self, oid: str, verify: str | None) -> None:
        """PUT keeps what came; only `verify` looks at it, as on the Hub."""
        if verify is None:
            self.hub.objects[oid] = self.sent
            raise _Answer(200)
        if hashlib.sha256(self.hub.objects.get(oid, b"")).hexdigest() != oid:
            self.hub.objects.pop(oid, None)
            raise _Answer(422, {"error": "the uploaded content does not have the announced digest"})
        raise _Answer(200, {})

    def _commit(self, repo: Repo, kind: str, name: str, revision: str) -> None:
        sha, files = self._files(repo, revision)
        files = dict(files)
        for line in self.sent.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                if value.get("parentCommit") not in (None, sha):
                    raise _Answer(412, {"error": "A commit has happened since. Please refresh and try again."})
            elif item["key"] == "file":
                assert value["encoding"] == "base64"
                files[value["path"]] = Blob(base64.b64decode(value["content"]))
            elif item["key"] == "lfsFile":
                if value["oid"] not in self.hub.objects:
                    raise _Answer(400, {"error": f"LFS object {value['oid']} is not there"})
                files[value["path"]] = Blob(self.hub.objects[value["oid"]], lfs=True)
            elif item["key"] == "deletedFile":
                if value["path"] not in files:
                    raise _refuse(404, "EntryNotFound", "A file with this name doesn't exist")
                del files[value["path"]]
            elif item["key"] == "deletedFolder":
                prefix = value["path"].rstrip("/") + "/"
                files = {path: blob for path, blob in files.items() if not path.startswith(prefix)}
            else:
                raise _Answer(400, {"error": f"unknown operation {item['key']}"})
        new = repo.commit(revision, files)
        prefix = "" if kind == "model" else f"{kind}s/"
        raise _Answer(200, {"commitOid": new, "commitUrl": f"{self.hub.url}/{prefix}{name}/commit/{new}"})

    def _resolve(self, kind: str, name: str, revision: str, path: str) -> None:
        sha, files = self._files(self._repo(kind, name), revision)
        if path not in files:
            raise _Answer(
                404, b"Entry not found", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha, "Content-Length": "15"}
            )
        blob = files[path]
        data, status = blob.data, 200
        headers = {"X-Repo-Commit": sha, "ETag": f'"{blob.oid}"', "Accept-Ranges": "bytes"}
        if blob.lfs:
            headers |= {"X-Linked-ETag": f'"{blob.sha256}"', "X-Linked-Size": str(len(data))}
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            data, status = data[first : last + 1], 206
        headers["Content-Length"] = str(len(data))
        raise _Answer(status, data, headers)


def _spoil(body: bytes, kind: str) -> bytes:
    if kind == "truncate":
        return body[: len(body) // 2]
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def front_matter(text: str) -> dict | None:
    found = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    return yaml.safe_load(found[1]) if found else None


def check_card(text: str) -> dict:
    """The checks of the Hub that bear on our cards: known keys, and a model-index that its pages can read."""
    errors = []
    try:
        data = front_matter(text) or {}
    except yaml.YAMLError as problem:
        return {"errors": [{"message": f"Invalid YAML: {problem}"}], "warnings": []}
    for key, kinds in {"license": str, "tags": list, "metrics": list, "pipeline_tag": str}.items():
        if key in data and not isinstance(data[key], kinds):
            errors.append(f'"{key}" must be {"a string" if kinds is str else "an array"}')
    for number, model in enumerate(data.get("model-index", [])):
        if not isinstance(model.get("name"), str) or not isinstance(model.get("results"), list):
            errors.append(f'"model-index[{number}]" needs a name and results')
            continue
        for result, metric in itertools.chain.from_iterable(
            ((r, m) for m in r.get("metrics", [None])) for r in model["results"]
        ):
            dataset, task = result.get("dataset") or {}, result.get("task") or {}
            texts = (task.get("type"), dataset.get("type"), dataset.get("name"))
            if not all(isinstance(value, str) for value in texts):
                errors.append(f'"model-index[{number}]" has a result without task type, dataset type or dataset name')
            if not isinstance(metric, dict) or not isinstance(metric.get("type"), str) or "value" not in metric:
                errors.append(f'"model-index[{number}]" has a metric without type or value')
    return {"errors": [{"message": message} for message in errors], "warnings": []}
