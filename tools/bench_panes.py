"""Two panes at some 100 tokens a second for some ten seconds in JupyterLab: updates, CPU time, frames.

    python -m tools.bench_panes [--pace 0.9] [--words 900]

Prints for the page: updates a second and pane, frames later than 50 ms and the worst one; for the kernel: CPU
seconds with the panel and for the same answers read without it (the simulator runs in the kernel too, so the
difference is the panel's share). Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from tools.labs import IN_KERNEL, RUN_ALL, browsing, button, field, open_notebook, served, write_notebook

MODELS = ["claude-haiku-4-5", "haiku"]
SETUP = """
import json, time, threading
import llmkit as kit
from llmkit.session import teach

PACE = {pace}
kit.connect("offline", pace=PACE)
words = ("one two three four five six seven eight nine ten ".split() * 200)[:{words}]
answers = {{}}
for run in ("0", "1"):
    text = [f"Answer {{run}}: " + " ".join(words)]
    answers[run] = {{"right": text, "wrong": text}}
task = kit.Task(
    [{{"id": run, "input": f"Count, in run {{run}}.", "target": "x"}} for run in answers],
    prompt="{{input}}", target="target", id="id", grade=kit.graders.contains(), answers=answers,
)
teach(task.rehearsal())
models = kit.models(*{models!r})
panel = kit.widgets.playground(models)
panel
"""
WARM = "for model in models: model('Hello.', max_tokens=5)"
WITHOUT = """
def read(model):
    for piece in model.stream("Count, in run 0."): pass
threads = [threading.Thread(target=read, args=(model,)) for model in models]
began, cpu = time.monotonic(), time.process_time()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps({"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}))
"""
BEFORE = "began, cpu = time.monotonic(), time.process_time(); print('ready')"
AFTER = """
from llmkit.widgets.asking import rate
print(json.dumps({
    "seconds": time.monotonic() - began, "cpu": time.process_time() - cpu,
    "rates": [rate(r) / PACE for r in panel.responses],
    "tokens": [r.usage.output for r in panel.responses], "updates": [c.pane.updates for c in panel.columns],
    "characters": [len(r.text) for r in panel.responses],
}))
"""
WATCH = """() => {
  const seen = window.seen = { frames: [], changes: [], first: 0, last: 0 };
  let before = performance.now();
  const frame = now => { seen.frames.push(now - before); before = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  const panes = new Map();
  new MutationObserver(changes => {
    for (const change of changes) {
      const box = change.target.closest?.('.widget-html-content');
      if (!box?.querySelector('.llmkit-answer')) continue;
      panes.set(box, (panes.get(box) || 0) + 1);
      seen.last = performance.now(); seen.first = seen.first || seen.last;
    }
    seen.changes = [...panes.values()];
  }).observe(document.body, { childList: true, subtree: true });
}"""
ENDED = """() => [...document.querySelectorAll('.llmkit-status')].some(n => n.innerText.includes('Done'))"""


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pace", type=float, default=0.9)
    parser.add_argument("--words", type=int, default=900)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        setup = SETUP.format(pace=given.pace, words=given.words, models=MODELS)
        write_notebook(home / "bench.ipynb", [setup])
        with served(home) as lab, browsing(height=1400) as page:
            open_notebook(page, lab, "bench.ipynb")
            page.evaluate(RUN_ALL)
            page.locator(".llmkit-panel").wait_for(timeout=60_000)
            _report(*_measured(page))


def _measured(page: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    page.evaluate(IN_KERNEL, WARM)
    without = json.loads(page.evaluate(IN_KERNEL, WITHOUT))
    field(page, "Prompt").fill("Count, in run 1.")
    page.wait_for_timeout(500)
    page.evaluate(IN_KERNEL, BEFORE)
    page.evaluate(WATCH)
    button(page, "Run").click()
    page.wait_for_function(ENDED, timeout=120_000)
    kernel = json.loads(page.evaluate(IN_KERNEL, AFTER))
    return without, kernel, page.evaluate("() => window.seen")


def _report(without: dict[str, Any], kernel: dict[str, Any], seen: dict[str, Any]) -> None:
    seconds = (seen["last"] - seen["first"]) / 1000
    updates = ", ".join(f"{number / seconds:.1f}" for number in seen["changes"])
    rates = ", ".join(f"{rate:.0f}" for rate in kernel["rates"])
    print(f"tokens: {kernel['tokens']}, characters: {kernel['characters']}, in {kernel['seconds']:.1f} s")
    print(f"tokens a second, by pane: {rates}")
    print(f"updates sent by the kernel: {kernel['updates']}, seen on the page: {seen['changes']}")
    print(f"updates a second over {seconds:.1f} s, by pane: {updates}")
    print(f"kernel CPU: {kernel['cpu']:.2f} s with the panel, {without['cpu']:.2f} s without")
    frames = seen["frames"]
    late = sum(gap > 50 for gap in frames)
    print(f"frames: {len(frames)}, later than 50 ms: {late}, worst {max(frames):.0f} ms")


if __name__ == "__main__":
    main()
