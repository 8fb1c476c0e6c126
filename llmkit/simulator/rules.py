"""What the Messages API refuses, model by model: status, error type and message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

KNOWN_FIELDS = frozenset(
    {
        *(
            "model",
            "messages",
            "max_tokens",
            "system",
            "stop_sequences",
            "stream",
            "thinking",
            "output_config",
        ),
        *("service_tier", "speed", "inference_geo", "metadata", "temperature", "top_p", "top_k", "tools"),
        *("tool_choice", "cache_control", "container", "diagnostics"),
    }
)
NOT_YET = frozenset({"tools", "tool_choice", "container"})
_SAMPLING = ("temperature", "top_p", "top_k")
_OLD_VERSION = "2023-06-01"
_ADVICE = (
    '"thinking.type.{}" is not supported for this model. Use "thinking.type.adaptive" and '
    '"output_config.effort" to control thinking behavior.'
)


class Refusal(Exception):
    """An error answer of the API."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


def invalid(message: str) -> Refusal:
    """A 400."""
    return Refusal(400, "invalid_request_error", message)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise for a request without key or version."""
    if not (headers.get("x-api-key") or headers.get("authorization", "").startswith("Bearer ")):
        raise Refusal(401, "authentication_error", "invalid x-api-key")
    if not headers.get("anthropic-version"):
        raise invalid("anthropic-version: header is required")


def check_body(body: Any, *, counting: bool = False) -> dict[str, Any]:
    """The body if it has the right shape. Raises ``Refusal`` as the API does."""
    if not isinstance(body, dict):
        raise invalid("The request body is not valid JSON")
    for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if name not in body:
            raise invalid(f"{name}: Field required")
    for name in body:
        if name not in KNOWN_FIELDS:
            raise invalid(f"{name}: Extra inputs are not permitted")
        if name in NOT_YET and body[name]:
            raise invalid(f"{name}: this simulator does not offer it yet")
    _check_messages(body["messages"])
    limit = body.get("max_tokens", 1)
    if type(limit) is not int or limit < 0:
        raise invalid("max_tokens: Input should be a valid integer greater than or equal to 0")
    return body


def check_rules(body: Mapping[str, Any], facts: Mapping[str, Any], version: str) -> None:
    """Raise for what this model does not take."""
    rules = facts["capabilities"]
    _check_sampling(body, rules, version)
    _check_thinking(body, rules)
    _check_effort(body, rules)
    limit = facts["max_output_tokens"]
    if body.get("max_tokens", 0) > limit:
        raise invalid(
            f"max_tokens: {body['max_tokens']} > {limit}, which is the maximum allowed for {facts['id']}"
        )
    if body["messages"][-1]["role"] == "assistant" and not rules["assistant_prefill"]:
        raise invalid(
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )
    if body.get("inference_geo") and not rules["inference_geo"]:
        raise invalid("inference_geo: not supported for this model")
    if body.get("speed") == "fast" and not rules["fast_mode"]:
        raise invalid("speed: fast is not supported for this model")


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise invalid("messages: at least one message is required")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            raise invalid(f"messages.{number}.role: Input should be 'user' or 'assistant'")
        content = message.get("content")
        if not isinstance(content, str | list):
            raise invalid(f"messages.{number}.content: Input should be a valid string or list")
        if not content:
            raise invalid(f"messages.{number}: user messages must have non-empty content")
        for place, block in enumerate(content if isinstance(content, list) else ()):
            if not isinstance(block, dict) or block.get("type") not in ("text", "image", "thinking"):
                raise invalid(
                    f"messages.{number}.content.{place}: this simulator takes text and images only yet"
                )


def _check_sampling(body: Mapping[str, Any], rules: Mapping[str, Any], version: str) -> None:
    given = [name for name in _SAMPLING if name in body]
    if not given:
        return
    if version != _OLD_VERSION:
        raise invalid(f"{given[0]}: Extra inputs are not permitted")
    if rules["sampling_params"] == "rejected":
        raise invalid(f"{given[0]} is deprecated for this model.")
    if rules["sampling_params"] == "temperature_or_top_p_not_both" and {"temperature", "top_p"} <= set(given):
        raise invalid("`temperature` and `top_p` cannot both be specified for this model.")


def _check_thinking(body: Mapping[str, Any], rules: Mapping[str, Any]) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind == "adaptive" and "adaptive" not in rules["thinking_types"]:
        raise invalid("adaptive thinking is not supported on this model")
    if kind not in rules["thinking_types"]:
        raise invalid(_ADVICE.format(kind))
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if type(budget) is not int or budget < 1024:
            raise invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if budget >= body.get("max_tokens", budget + 1):
            raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_effort(body: Mapping[str, Any], rules: Mapping[str, Any]) -> None:
    effort = (body.get("output_config") or {}).get("effort")
    levels = rules["effort_levels"]
    if effort is None:
        return
    if not levels:
        raise invalid("This model does not support the effort parameter.")
    if effort not in levels:
        known = ", ".join(sorted(levels))
        raise invalid(f"This model does not support effort level '{effort}'. Supported levels: {known}.")


def too_long(tokens: int, facts: Mapping[str, Any]) -> None:
    """Raise if the prompt alone is over the window."""
    window = facts["context_tokens"]
    if tokens > window:
        raise invalid(f"prompt is too long: {tokens} tokens > {window} maximum")


def is_model_path(path: str) -> str | None:
    """The model id in /v1/models/ID, or None."""
    match = re.fullmatch(r"/v1/models/([^/]+)", path)
    return match[1] if match else None
