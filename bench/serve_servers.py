"""serve_servers.py: the servers that serve.py drives: how each is started, which of its threads computes, and how much
memory it has.

All of a server but the thread that computes runs on one core, together with the client; that thread has the other core
for itself. It is found by its work: the one that is busiest during some requests.
"""
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
READY_SECONDS = 120


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A process that answers POST /v1/embeddings."""

    def __init__(self, name, command, ready, cores):
        self.name, self.cores, self.port = name, cores, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false",
                           HF_HUB_OFFLINE="1", DO_NOT_TRACK="1")
        begin = time.monotonic()
        self.process = subprocess.Popen(command(self.port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env=environment, preexec_fn=lambda: os.sched_setaffinity(0, {cores[0]}))
        while not self.answers(ready):
            if self.process.poll() is not None or time.monotonic() > begin + READY_SECONDS:
                self.stop()
                raise RuntimeError(f"{name}: did not get ready: {' '.join(command(self.port))}")
            time.sleep(0.005)
        self.ready_seconds = time.monotonic() - begin

    def answers(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def read(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return answer.read().decode()

    def post(self, body):
        request = urllib.request.Request(self.url + "/v1/embeddings", body.encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=READY_SECONDS) as answer:
            return answer.read()

    def pin(self, work):
        """Gives the second core to the thread that is busiest during work(): the one that computes."""
        before = self.thread_seconds()
        work()
        used = {thread: now - before.get(thread, 0) for thread, now in self.thread_seconds().items()}
        os.sched_setaffinity(max(used, key=used.get), {self.cores[1]})

    def thread_seconds(self):
        """Thread -> the time that it has run so far, in ticks."""
        return {int(os.path.basename(t)): ticks_of(t) for t in glob.glob(f"/proc/{self.process.pid}/task/*")}

    def resident_mb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def ticks_of(thread):
    with open(f"{thread}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # utime, stime


def start_align(args, folder, cores):
    command = [args.align, "serve", "--model", folder, "--threads", "1", "--name", "served", "--cache", "0", "--quiet",
               "--precision", args.precision]
    return Server("align", lambda port: command + ["--port", str(port)], "/readyz", cores)


def start_fastapi(_, folder, cores):
    command = [sys.executable, "-W", "ignore", os.path.join(HERE, "serve_fastapi.py"), folder]
    return Server("FastAPI + ONNX Runtime", lambda port: command + ["--port", str(port)], "/readyz", cores)


def start_infinity(args, folder, cores):
    command = [args.infinity, "v2", "--model-id", folder, "--served-model-name", "served", "--engine", "torch", "--device",
               "cpu", "--dtype", "float32", "--batch-size", "32", "--no-model-warmup", "--no-bettertransformer",
               "--log-level", "warning", "--url-prefix", "/v1"]
    return Server("infinity", lambda port: command + ["--port", str(port)], "/health", cores)


STARTS = {"align": start_align, "fastapi": start_fastapi, "infinity": start_infinity}


def missing(args, name):
    """Why a server cannot run here; empty if it can."""
    if name == "fastapi":
        import importlib.util
        absent = [p for p in ("fastapi", "uvicorn", "onnxruntime", "tokenizers", "orjson") if not importlib.util.find_spec(p)]
        return f"{', '.join(absent)} not installed" if absent else ""
    command = {"align": args.align, "infinity": args.infinity}[name]
    return "" if shutil.which(command) else f"no {command}"
