"""Model cards: a registered model's training data, metrics, limits and usage on one page.

`card_of` reads the registry. The rest is pure: equal cards give equal text.
"""

from registry.card.card import Card, card_of
from registry.card.html import POLICY, card_html
from registry.card.markdown import card_markdown
from registry.card.place import place_of

__all__ = ["POLICY", "Card", "card_html", "card_markdown", "card_of", "place_of"]
