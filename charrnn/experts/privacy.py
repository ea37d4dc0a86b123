"""What the counts in a model file give away of the text that they were taken from, in words."""

from charrnn.experts.rule import Rule


def what_is_given_away(rule: Rule, unit: str) -> str:
    """A sentence for whoever may pass the file on, and what to do about it.

    `rule` is what the counts were kept by, of an order above 0, and `unit` what a symbol is called.
    Options are named as in Python, in backticks.
    """
    holds = f"this file holds pieces, up to {rule.order + 1} {unit}s long, of"
    least = rule.least_continuations()[1]
    if least == 1:
        return (
            f"{holds} the text that it learned from; train with `private` to keep only what stands "
            "there twice or more, with `ngram_order` 0 to keep none"
        )
    times = "twice" if least == 2 else f"{least:,} times"
    return (
        f"{holds} what stands {times} or more in the text that it learned from; train with "
        "`ngram_order` 0 to keep none"
    )
