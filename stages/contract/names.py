"""What the sections of a contract have in common: names, values, bounds."""

Name = str
Value = str | int


def check_order(bounds: tuple[float, ...] | None, name: str = "range") -> None:
    """Raise ValueError where ``bounds`` are given and the first is above the second."""
    if bounds and not bounds[0] <= bounds[1]:
        raise ValueError(f"{name} must be [lowest, highest], not {list(bounds)}")
