"""The colours of the numbers in a mask: those of PASCAL VOC (Everingham et al. 2010), as most tools have them."""


def colour(number: int) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of a number from 0 to 255.

    Bits 0, 1, 2 of the number are the highest of red, green and blue, the next three the second highest …
    """
    mixed = [0, 0, 0]
    for place in range(7, 0, -1):
        for channel in range(3):
            mixed[channel] |= (number >> channel & 1) << place
        number >>= 3
    return mixed[0], mixed[1], mixed[2]


def css(number: int) -> str:
    """The same as a style sheet writes it."""
    return "#" + "".join(f"{part:02x}" for part in colour(number))
