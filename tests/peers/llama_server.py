"""Runs llama.cpp's server on a free or given port, from the package xllamacpp, until its standard input is closed.

    python llama_server.py MODEL.gguf [--port N] [--key KEY] [--embeddings]

Prints the server's address once it listens. Ending with the input means that a test that dies leaves nothing behind.
"""

import argparse
import sys

import xllamacpp

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--key")
parser.add_argument("--embeddings", action="store_true")
arguments = parser.parse_args()

params = xllamacpp.CommonParams()
params.model.path = arguments.model
params.model_alias = {"smollm2"}
params.n_ctx = 2048
params.n_parallel = 2
params.hostnames = ["127.0.0.1"]
params.port = arguments.port
params.cpuparams.n_threads = 2
params.use_jinja = True
params.endpoint_slots = True
if arguments.key:
    params.api_keys = [arguments.key]
if arguments.embeddings:
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN

server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
