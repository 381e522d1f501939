"""An Ollama of one model: its lists, and a real llama-server as its child. `serve PORT LLAMA_SERVER WEIGHTS ENGINE_PORT`."""

import ctypes
import json
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, llama_server, weights, engine_port = sys.argv[2:]
MODEL = {"name": "smollm2:135m", "model": "smollm2:135m", "digest": "d" * 64, "size": 98362432, "details": {}}
LISTS = {
    "/api/version": {"version": "0.33.0"},
    "/api/tags": {"models": [MODEL]},
    "/api/ps": {"models": [{**MODEL, "size_vram": 0, "context_length": 2048, "expires_at": "2318-11-27T00:00:00Z"}]},
    "/api/show": {"modelfile": f"FROM {weights}\n", "capabilities": ["completion"], "model_info": {}},
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps(LISTS[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


# As Ollama 0.33 starts it.
arguments = ["--model", weights, "--port", engine_port, "--host", "127.0.0.1", "--no-webui", "--offline", "-c", "4096", "-np", "2"]
arguments += ["--log-verbosity", "4", "--no-log-prefix", "--no-log-timestamps", "--flash-attn", "auto", "-b", "512", "-ub", "512"]
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
prctl = ctypes.CDLL(None).prctl
prctl(PR_SET_NAME, b"ollama")
subprocess.Popen([llama_server, *arguments], preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
