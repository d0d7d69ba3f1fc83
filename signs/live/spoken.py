"""The last answer in words, for who hears it: a line on the terminal that a screen reader speaks.

spoken(demo)            "hello, 93 percent"
"""

from signs.live.corrections import no_signs


def spoken(demo) -> str:
    """The answer that a correction would be about, how sure it is, and what it was, as somebody said."""
    answered = demo.corrections.meant
    if answered is None:
        return "no answer yet"
    classes = demo.recogniser.classes
    names, none = {row.label: row.name for row in classes}, no_signs(classes)
    label, probability = answered.ranked[0]
    line = f"{names.get(label, label)}, {probability * 100:.0f} percent"
    if label in none:
        line = "no sign I know"
    elif not answered.known:
        line = f"perhaps {line}; not sure enough"
    if answered.truth is None:
        return line
    return f"{line}; it was {'no sign' if answered.truth in none else names.get(answered.truth, answered.truth)}"
