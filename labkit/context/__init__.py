"""What the model is shown at each step: as much of the state as fits, what matters most first.

the goal, the current step, the open questions    always, or ContextTooSmall
artifacts of the current step                     with as many of their first lines as fit
artifacts of the steps before it in the plan      the same, the nearest step first
facts                                             those that share a word with the step first, the newest first
other artifacts                                   by name alone, the newest first
"""

from labkit.context.selection import ContextTooSmall, select_context
from labkit.context.slices import ContextSlice
from labkit.context.tokens import count_tokens
from labkit.context.window import Window, state_of

__all__ = ["ContextSlice", "ContextTooSmall", "Window", "count_tokens", "select_context", "state_of"]
