"""llmkit: which model to pay for on your own task, Opus, Sonnet or a mix of both, and how sure you can be."""

__version__ = "0.1.0"
