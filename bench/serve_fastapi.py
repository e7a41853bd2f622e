#!/usr/bin/env python3
"""serve_fastapi.py: what one would write with FastAPI and ONNX Runtime instead of `align serve`; serve.py drives it.

    serve_fastapi.py DIR --port N       DIR: image.onnx, text_any.onnx, tokenizer.json and preprocessor_config.json

POST /v1/embeddings takes texts, or pictures as data: addresses. Pictures are decoded in threads (Pillow lets the
interpreter go meanwhile), texts tokenised by Hugging Face's tokenizer, which is compiled. One thread runs the model, on
whatever waits for its tower, up to a batch: so a request alone is computed at once, and many are computed together.
"""
import argparse
import asyncio
import base64
import concurrent.futures
import contextlib
import io
import json
import os
from typing import Literal, Union

import numpy as np
import onnxruntime
import orjson
import uvicorn
from fastapi import FastAPI, HTTPException, Response
from PIL import Image
from pydantic import BaseModel
from tokenizers import Tokenizer

MOST = {"text": 64, "image": 16}  # computed together


class Tower:
    """A queue of prepared inputs in front of a model."""

    def __init__(self, path, thread, most, collate):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.thread, self.most, self.collate, self.queue = thread, most, collate, None

    def compute(self, inputs):
        features = self.session.run(None, self.collate(inputs))[0]
        return features / np.linalg.norm(features, axis=1, keepdims=True)

    async def run(self):
        self.queue = asyncio.Queue()
        while True:
            batch = [await self.queue.get()]
            while len(batch) < self.most and not self.queue.empty():
                batch.append(self.queue.get_nowait())
            try:
                rows = await asyncio.get_running_loop().run_in_executor(self.thread, self.compute, [b[0] for b in batch])
                for (_, future), row in zip(batch, rows):
                    future.set_result(row)
            except Exception as error:  # whoever waits has to be told
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)

    async def embed(self, prepared):
        future = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((prepared, future))
        return await future


def collate_texts(rows):
    length = max(map(len, rows))
    ids, mask = (np.zeros((len(rows), length), np.int64) for _ in range(2))
    for i, row in enumerate(rows):
        ids[i, :len(row)] = row
        mask[i, :len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def collate_pictures(rows):
    return {"pixel_values": np.stack(rows)}


class Pictures:
    """What preprocessor_config.json of the EfficientNet processor asks for."""

    def __init__(self, folder):
        with open(os.path.join(folder, "preprocessor_config.json"), encoding="utf-8") as file:
            config = json.load(file)
        self.size = config["size"]["width"], config["size"]["height"]
        self.crop = config["crop_size"]["height"] if config["do_center_crop"] else None
        self.factor = np.float32(config["rescale_factor"])

    def prepare(self, url):
        image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
        pixels = np.asarray(image.resize(self.size, Image.BILINEAR))
        if self.crop:
            top, left = (pixels.shape[0] - self.crop) // 2, (pixels.shape[1] - self.crop) // 2
            pixels = pixels[top:top + self.crop, left:left + self.crop]
        return np.ascontiguousarray((pixels * self.factor - np.float32(1)).transpose(2, 0, 1))


class Request(BaseModel):
    model: str = "served"
    input: Union[str, list[str]]
    modality: Literal["text", "image"] = "text"


def make_app(folder):
    thread = concurrent.futures.ThreadPoolExecutor(1)
    decoders = concurrent.futures.ThreadPoolExecutor(2)
    file = lambda name: os.path.join(folder, name)
    texts = Tower(file("text_any.onnx"), thread, MOST["text"], collate_texts)
    images = Tower(file("image.onnx"), thread, MOST["image"], collate_pictures)
    tokenizer = Tokenizer.from_file(file("tokenizer.json"))
    tokenizer.enable_truncation(64)
    tokenizer.no_padding()
    pictures = Pictures(folder)

    @contextlib.asynccontextmanager
    async def lifespan(_):
        tasks = [asyncio.create_task(tower.run()) for tower in (texts, images)]
        yield
        for task in tasks:
            task.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    async def ready():
        return {"status": "ready"}

    @app.post("/v1/embeddings")
    async def embeddings(request: Request):
        items = [request.input] if isinstance(request.input, str) else request.input
        if request.modality == "text":
            encoded = tokenizer.encode_batch(items)
            tokens = sum(len(e.ids) for e in encoded)
            rows = await asyncio.gather(*(texts.embed(e.ids) for e in encoded))
        else:
            loop, tokens = asyncio.get_running_loop(), 0
            try:
                pixels = await asyncio.gather(*(loop.run_in_executor(decoders, pictures.prepare, i) for i in items))
            except (ValueError, OSError) as error:
                raise HTTPException(400, "not a picture") from error
            rows = await asyncio.gather(*map(images.embed, pixels))
        body = {"object": "list", "model": request.model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
                "data": [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]}
        return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")

    return app


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    PARSER.add_argument("dir")
    PARSER.add_argument("--port", type=int, default=8000)
    ARGS = PARSER.parse_args()
    uvicorn.run(make_app(ARGS.dir), host="127.0.0.1", port=ARGS.port, log_level="critical", access_log=False)
