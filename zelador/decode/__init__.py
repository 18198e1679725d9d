"""Turns the bytes of a message into readings, or says why that is not possible. Pure: no socket, no clock."""

from zelador.decode.decoder import Decoder, random_id
from zelador.decode.one_value import Part
from zelador.decode.unusable import Unusable

__all__ = ["Decoder", "Part", "Unusable", "random_id"]
