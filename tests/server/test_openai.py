"""The official client of OpenAI's interface, unmodified: test_openai.py ALIGN MODELS

Skipped (exit code 77) where the package is not installed; ALIGN_TEST_OPENAI names another Python that has it.
"""
import base64
import os
import pathlib
import re
import subprocess
import sys

other = os.environ.pop("ALIGN_TEST_OPENAI", None)
if other:
    os.execv(other, [other, *sys.argv])
try:
    import openai
except ImportError:
    print("the openai package is not installed")
    sys.exit(77)

program, models = sys.argv[1], pathlib.Path(sys.argv[2])
server = subprocess.Popen([program, "serve", "--port", "0", "--quiet", "--model", str(models / "emoji"), "--name", "clip",
                           "--token", "secret"], stdout=subprocess.PIPE, text=True)
try:
    address = re.match(r"listening on (\S+)", server.stdout.readline()).group(1)
    client = openai.OpenAI(base_url=address + "/v1", api_key="secret", max_retries=0)

    # Without a format the client asks for base64, and unpacks it.
    answer = client.embeddings.create(model="clip", input=["a cat", "two dogs"])
    assert [item.index for item in answer.data] == [0, 1]
    assert len(answer.data[0].embedding) == 256 and answer.usage.prompt_tokens == 8 and answer.model == "clip"
    assert abs(sum(x * x for x in answer.data[0].embedding) - 1) < 1e-5
    plain = client.embeddings.create(model="clip", input="a cat", encoding_format="float", dimensions=256, user="me")
    assert max(abs(a - b) for a, b in zip(plain.data[0].embedding, answer.data[0].embedding)) < 1e-8

    picture = "data:image/png;base64," + base64.b64encode((models / "demo/cat.png").read_bytes()).decode()
    mixed = client.embeddings.create(model="clip", input=["a cat", "a car", {"image": picture}])
    cat, car, seen = (item.embedding for item in mixed.data)
    assert sum(a * b for a, b in zip(cat, seen)) > sum(a * b for a, b in zip(car, seen))

    assert [model.id for model in client.models.list()] == ["clip"]
    assert client.models.retrieve("clip").id == "clip"

    def expect(error, code, **arguments):
        try:
            client.embeddings.create(**{"model": "clip", "input": "a", **arguments})
        except error as problem:
            assert problem.code == code, problem.code
        else:
            raise AssertionError(f"{code} was expected")

    expect(openai.NotFoundError, "model_not_found", model="other")
    expect(openai.BadRequestError, "dimensions_not_supported", dimensions=64)
    expect(openai.BadRequestError, "missing_input", input=[])
    client = client.with_options(api_key="wrong")
    expect(openai.AuthenticationError, "unauthorized")
finally:
    server.terminate()
assert server.wait(timeout=60) == 0
