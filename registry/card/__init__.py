"""A registered model on one page: what it learned from, how good it is, where it ends, how to use it.

`card_of` reads; the rest is pure: the same card gives the same text.
"""

from registry.card.card import Card, card_of
from registry.card.html import POLICY, card_html
from registry.card.markdown import card_markdown

__all__ = ["POLICY", "Card", "card_html", "card_markdown", "card_of"]
