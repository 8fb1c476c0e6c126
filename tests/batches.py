"""Small tasks for batches, and what the simulator knows of them."""

from datetime import UTC, datetime

import llmkit as kit
from llmkit.providers.messages_batch import MessageBatches
from llmkit.session import current


def a_task(n=12, *, prompt="Say a or b. {text}", name="ab", **more):
    items = [
        {"text": f"ticket {i}{more.get('words', {}).get(i, '')}", "label": "ab"[i % 2]} for i in range(n)
    ]
    return kit.Task(items, prompt=prompt, target="label", grade=kit.graders.exact(), name=name)


def made():
    """Batches there are, by the provider's own list."""
    sonnet = kit.model("sonnet").target.endpoint
    return len(
        MessageBatches(lambda: current().clients.batches(sonnet)).since(datetime(2000, 1, 1, tzinfo=UTC))
    )


def asked_directly():
    return sum(n for (path, _), n in current().simulator.counts.by_path.items() if path == "/v1/messages")
