"""How many tokens a text has, counted without a network: the vocabulary comes in a package of Mistral's.

Every model has a vocabulary of its own. For another model than Mistral's the count is an estimate: keep a reserve.
"""

import base64
import importlib.util
import json
from functools import cache
from pathlib import Path

import tiktoken

VOCABULARY = "tekken_240911.json"
"""131,072 tokens, learned from over 100 languages and from code (Mistral AI, "Tekken", 2024)."""


def count_tokens(text: str) -> int:
    """The tokens of a text. The first call takes about a second: it reads the vocabulary."""
    return len(_encoding().encode_ordinary(text))


@cache
def _encoding() -> tiktoken.Encoding:
    # The package itself takes seconds to import; its data and tiktoken are all that counting needs.
    spec = importlib.util.find_spec("mistral_common")
    data = json.loads((Path(spec.submodule_search_locations[0]) / "data" / VOCABULARY).read_bytes())
    config = data["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in data["vocab"][:size]}
    return tiktoken.Encoding(VOCABULARY, pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={})
