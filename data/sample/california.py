"""A coarse map of California: where there is land, how far the sea is, and where people live.

Outlines are polygons through well-known points (capes, river mouths, corners of the state), read
off a public map to a hundredth of a degree; good to a few kilometres, which is all we need.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Outline = tuple[tuple[float, float], ...]

KM_PER_DEGREE = 111.2
SHRINK = 0.809  # a degree of longitude at 36 degrees north, against one of latitude

# From Oregon to Mexico, (longitude, latitude).
COAST: Outline = (
    *((-124.21, 42.00), (-124.25, 41.78), (-124.08, 41.54), (-124.15, 41.05), (-124.22, 40.75)),
    *((-124.41, 40.44), (-124.07, 40.03), (-123.79, 39.64), (-123.82, 39.35), (-123.74, 38.95)),
    *((-123.53, 38.77), (-123.12, 38.45), (-123.06, 38.30), (-123.02, 38.00), (-122.70, 37.90)),
    *((-122.53, 37.82), (-122.51, 37.78), (-122.51, 37.49), (-122.40, 37.18), (-122.33, 37.11)),
    *((-122.03, 36.95), (-121.90, 36.97), (-121.79, 36.80), (-121.88, 36.60), (-121.95, 36.63)),
    *((-121.90, 36.31), (-121.47, 35.88), (-121.28, 35.67), (-120.87, 35.38), (-120.90, 35.25)),
    *((-120.64, 35.14), (-120.66, 34.90), (-120.64, 34.58), (-120.47, 34.45), (-119.85, 34.41)),
    *((-119.52, 34.39), (-119.29, 34.27), (-119.22, 34.15), (-118.81, 34.01), (-118.50, 34.01)),
    *((-118.40, 33.84), (-118.42, 33.77), (-118.29, 33.71), (-118.10, 33.74), (-117.88, 33.60)),
    *((-117.71, 33.46), (-117.39, 33.19), (-117.27, 32.96), (-117.28, 32.84), (-117.25, 32.67)),
    *((-117.13, 32.57), (-117.12, 32.53)),
)
# From Mexico up the Colorado river and along Nevada back to Oregon.
BORDER: Outline = (
    *((-114.72, 32.72), (-114.53, 33.55), (-114.14, 34.27), (-114.63, 35.00), (-120.00, 39.00)),
    (-120.00, 42.00),
)
SAN_FRANCISCO_BAY: Outline = (
    *((-122.48, 37.82), (-122.39, 37.79), (-122.36, 37.72), (-122.37, 37.62), (-122.24, 37.55)),
    *((-122.10, 37.46), (-121.98, 37.45), (-122.07, 37.53), (-122.15, 37.63), (-122.21, 37.70)),
    *((-122.32, 37.79), (-122.31, 37.87), (-122.40, 37.92), (-122.30, 38.01), (-122.27, 38.07)),
    *((-122.40, 38.12), (-122.49, 38.05), (-122.47, 37.97), (-122.45, 37.88)),
)
SANTA_CATALINA: Outline = (
    *((-118.60, 33.48), (-118.48, 33.45), (-118.37, 33.41), (-118.31, 33.35), (-118.35, 33.31)),
    *((-118.47, 33.33), (-118.56, 33.44)),
)


class Place(NamedTuple):
    """A city or a region, with what its blocks have in common."""

    name: str
    longitude: float
    latitude: float
    weight: float  # how many census blocks, relative to the other places
    spread_km: float
    house_age: float  # years, typical
    wealth: float  # typical log of income, above the state's
    empty_homes: float = 0.04  # for each household


PLACES = (
    Place("Los Angeles", -118.28, 34.03, 9.5, 10, 40, -0.25),
    Place("Hollywood, Beverly Hills", -118.38, 34.08, 3.0, 4, 38, 0.22),
    Place("San Fernando Valley", -118.49, 34.21, 6.0, 9, 29, 0.12),
    Place("Pasadena, San Gabriel Valley", -118.07, 34.10, 5.0, 9, 33, 0.05),
    Place("South Bay", -118.35, 33.86, 3.4, 5, 32, 0.20),
    Place("Long Beach", -118.16, 33.83, 4.0, 6, 36, 0.00),
    Place("Pomona, Ontario", -117.68, 34.06, 2.6, 9, 22, 0.05),
    Place("Anaheim, Santa Ana", -117.90, 33.78, 5.2, 7, 25, 0.15),
    Place("Irvine, Newport Beach", -117.80, 33.64, 2.6, 7, 16, 0.45),
    Place("Santa Monica, Malibu", -118.52, 34.04, 1.2, 4, 35, 0.45),
    Place("Ventura, Oxnard", -119.15, 34.24, 1.8, 9, 22, 0.18),
    Place("Thousand Oaks", -118.85, 34.20, 1.0, 7, 17, 0.50),
    Place("Lancaster, Palmdale", -118.13, 34.63, 1.0, 8, 14, 0.08),
    Place("San Bernardino", -117.29, 34.12, 2.6, 9, 27, -0.17),
    Place("Riverside", -117.37, 33.93, 2.4, 10, 22, 0.00),
    Place("Temecula, Hemet", -117.05, 33.66, 1.0, 12, 13, -0.12),
    Place("Palm Springs, Indio", -116.40, 33.76, 1.1, 10, 17, -0.15, 0.3),
    Place("Victorville, Barstow", -117.25, 34.56, 0.9, 13, 17, -0.15),
    Place("Big Bear, Arrowhead", -117.05, 34.25, 0.3, 8, 19, 0.0, 1.0),
    Place("Imperial Valley", -115.53, 32.83, 0.5, 11, 24, -0.35),
    Place("San Diego", -117.12, 32.76, 4.6, 7, 30, -0.08),
    Place("La Jolla, northern San Diego", -117.17, 32.90, 1.6, 7, 18, 0.32),
    Place("Oceanside, Escondido", -117.20, 33.15, 1.9, 9, 15, 0.08),
    Place("Santa Barbara", -119.75, 34.43, 0.9, 6, 29, 0.12),
    Place("Santa Maria, San Luis Obispo", -120.54, 35.10, 1.3, 15, 21, -0.05),
    Place("Monterey, Salinas", -121.73, 36.64, 1.3, 11, 26, 0.02, 0.08),
    Place("Santa Cruz", -121.97, 36.99, 0.9, 7, 27, 0.10),
    Place("San Francisco", -122.44, 37.76, 3.6, 3, 49, 0.00),
    Place("Daly City, Pacifica", -122.46, 37.66, 0.9, 3, 36, 0.18),
    Place("San Mateo, Palo Alto", -122.23, 37.50, 2.2, 6, 33, 0.36),
    Place("San Jose", -121.90, 37.30, 4.2, 8, 25, 0.25),
    Place("Oakland, Berkeley", -122.23, 37.81, 3.6, 5, 44, -0.13),
    Place("Hayward, Fremont", -122.04, 37.61, 1.7, 7, 26, 0.20),
    Place("Concord, Walnut Creek", -122.02, 37.93, 1.8, 7, 25, 0.30),
    Place("Richmond, Vallejo", -122.28, 38.02, 1.2, 7, 33, -0.05),
    Place("Marin", -122.53, 38.00, 0.8, 6, 30, 0.40),
    Place("Livermore, Tracy", -121.70, 37.70, 0.8, 9, 17, 0.25),
    Place("Santa Rosa, Napa", -122.60, 38.38, 1.7, 14, 23, 0.02),
    Place("Fairfield, Davis", -121.95, 38.40, 1.0, 14, 18, 0.06),
    Place("Sacramento", -121.45, 38.58, 4.2, 11, 25, -0.10),
    Place("Auburn, Placerville", -121.00, 38.85, 1.1, 14, 15, 0.05),
    Place("Lake Tahoe", -120.06, 38.95, 0.4, 7, 20, -0.05, 0.9),
    Place("Stockton", -121.29, 37.97, 1.8, 9, 27, -0.18),
    Place("Modesto, Merced", -120.85, 37.55, 2.4, 19, 25, -0.22),
    Place("Fresno", -119.76, 36.76, 2.6, 12, 25, -0.28),
    Place("Visalia, Tulare", -119.25, 36.25, 1.4, 15, 25, -0.36),
    Place("Bakersfield", -119.03, 35.37, 1.9, 13, 24, -0.20),
    Place("Sierra foothills", -120.30, 37.95, 0.9, 24, 17, -0.25, 0.3),
    Place("Chico, Yuba City", -121.70, 39.50, 1.6, 24, 23, -0.34),
    Place("Redding", -122.35, 40.55, 0.9, 19, 20, -0.33),
    Place("Eureka, Mendocino", -123.90, 40.50, 0.9, 28, 30, -0.35, 0.15),
    Place("The far north-east", -121.30, 41.30, 0.5, 40, 28, -0.43, 0.2),
    Place("Owens Valley", -118.20, 36.90, 0.2, 20, 25, -0.25, 0.4),
    Place("Avalon", -118.33, 33.34, 0.1, 0.8, 48, -0.25, 0.5),
)


def on_land(longitude: Reals, latitude: Reals) -> Flags:
    """Say which points are Californian ground: neither ocean, nor bay, nor another state."""
    mainland = within(longitude, latitude, COAST + BORDER)
    bay = within(longitude, latitude, SAN_FRANCISCO_BAY)
    return (mainland & ~bay) | on_island(longitude, latitude)


def on_island(longitude: Reals, latitude: Reals) -> Flags:
    """Say which points are on Santa Catalina, the one island with a town."""
    return within(longitude, latitude, SANTA_CATALINA)


def km_to_coast(longitude: Reals, latitude: Reals) -> Reals:
    """Measure the way to the ocean, which is never far on the island."""
    on_foot = km_to_line(longitude, latitude, COAST)
    return np.where(on_island(longitude, latitude), 0.0, on_foot)


def km_to_bay(longitude: Reals, latitude: Reals) -> Reals:
    """Measure the way to the shore of San Francisco Bay."""
    shore = (*SAN_FRANCISCO_BAY, SAN_FRANCISCO_BAY[0])
    return km_to_line(longitude, latitude, shore)


def km_to_point(longitude: Reals, latitude: Reals, x: float, y: float) -> Reals:
    """Measure the way to the point at longitude x and latitude y."""
    east, north = flatten(longitude - x, latitude - y)
    distance: Reals = np.hypot(east, north)
    return distance


def km_to_line(longitude: Reals, latitude: Reals, line: Outline) -> Reals:
    """Measure the way to the nearest point of a broken line."""
    x, y = flatten(longitude[:, None], latitude[:, None])
    xs, ys = flatten(*np.array(line).T)
    dx, dy = np.diff(xs), np.diff(ys)
    along = ((x - xs[:-1]) * dx + (y - ys[:-1]) * dy) / (dx**2 + dy**2)
    along = np.clip(along, 0.0, 1.0)
    distances: Reals = np.hypot(x - xs[:-1] - along * dx, y - ys[:-1] - along * dy)
    nearest: Reals = distances.min(axis=1)
    return nearest


def walk(longitude: Reals, latitude: Reals, east_km: Reals, north_km: Reals) -> tuple[Reals, Reals]:
    """Say where a walk ends, in degrees."""
    return longitude + east_km / (KM_PER_DEGREE * SHRINK), latitude + north_km / KM_PER_DEGREE


def flatten(longitude: Reals, latitude: Reals) -> tuple[Reals, Reals]:
    """Project degrees to kilometres, on a plane that fits the middle of the state."""
    return longitude * KM_PER_DEGREE * SHRINK, latitude * KM_PER_DEGREE


def within(longitude: Reals, latitude: Reals, outline: Outline) -> Flags:
    """Count how often a ray to the east crosses the outline: an odd count is inside."""
    x0, y0 = np.array(outline).T
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    straddles = (y0 > latitude[:, None]) != (y1 > latitude[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):  # level edges are never straddled
        crossing = x0 + (latitude[:, None] - y0) * (x1 - x0) / (y1 - y0)
    hits = straddles & (crossing > longitude[:, None])
    return np.asarray(hits.sum(axis=1) % 2 == 1)
