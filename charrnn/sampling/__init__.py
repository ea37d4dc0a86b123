"""Choosing the next character, again and again. No torch here."""
