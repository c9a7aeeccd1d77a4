"""What OpenAI's own Python package makes of a server: one JSON object. openai_client.py BASE_URL MODEL KEY"""

import concurrent.futures
import json
import sys

import openai

base, model, key = sys.argv[1:]
client = openai.OpenAI(base_url=base, api_key=key, max_retries=0, timeout=60)
said = [{"role": "user", "content": "Once upon a time"}]
asked = {"model": model, "messages": said, "max_tokens": 16, "seed": 7}


def problem(**changes):
    try:
        client.chat.completions.create(**{**asked, **changes})
    except openai.APIStatusError as error:
        return {"kind": type(error).__name__, "code": error.code, "param": error.param, "status": error.status_code}
    return None


def with_key(other):
    try:
        openai.OpenAI(base_url=base, api_key=other, max_retries=0).models.list()
    except openai.APIStatusError as error:
        return type(error).__name__
    return None


whole = client.chat.completions.create(**asked, logprobs=True, top_logprobs=2)
chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
text = client.completions.create(model=model, prompt="Once upon a time", max_tokens=8, temperature=0, logprobs=1)
# Left after the first chunk: the server must notice.
left = client.completions.create(model=model, prompt="Once", max_tokens=400, stream=True)
next(iter(left))
left.close()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    many = list(pool.map(lambda seed: client.chat.completions.create(**{**asked, "seed": seed}).choices[0].message.content, range(8)))
print(
    json.dumps(
        {
            "models": [one.id for one in client.models.list()],
            "retrieved": client.models.retrieve(model).id,
            "content": whole.choices[0].message.content,
            "finish": whole.choices[0].finish_reason,
            "usage": whole.usage.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}),
            "tokens": [[one.token, one.logprob, len(one.top_logprobs)] for one in whole.choices[0].logprobs.content],
            "streamed": "".join(c.choices[0].delta.content or "" for c in chunks if c.choices),
            "streamed_usage": chunks[-1].usage.completion_tokens,
            "text": text.choices[0].text,
            "text_tokens": len(text.choices[0].logprobs.tokens),
            "many": many,
            "schema": problem(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}),
            "other_model": problem(model="gpt-4"),
            "other_key": with_key("wrong"),
        }
    )
)
