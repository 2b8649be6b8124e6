"""Simulate a housing table in the layout of the 1990 Californian census blocks.

The model
---------
Every row is a block group of the census: some hundred households around one point of the map.

    position    one of the places of `california.py`, then a Normal walk away from its centre, now
                and then a long one; rounded to 0.01 degrees, drawn again until it is on land
    fields      two smooth random surfaces over the map, one of wealth and one of price: sums of
                waves of 12 to 120 km in random directions; neighbouring blocks share them
    age         the place's usual age with Normal noise, larger where that is high; 1 to 52 years
    income      log-normal around the place's wealth + its field, less where houses are old
    households  log-normal with long tails, larger where houses are new
    rooms       homes x rooms in each, log-normal: more with income, fewer where land is dear.
                Homes that stand empty add rooms but no household; the mountains have many
    bedrooms    homes x about one, as the published table has them
    population  households x people in each, log-normal; now and then also a barracks
    log value   base + sea, commuting and city premiums that fade with distance + price field
                + log(0.26 + 0.21 income) + a little for age - crowding
                + Normal noise + one-sided exponential noise; in dollars, cut at both ends

Premiums that fade over tens of kilometres, along a bent coast, are what trees can learn and a
linear model of longitude and latitude cannot.

The figures
-----------
Layout, units and averages: Pace & Barry 1997, "Sparse spatial autoregressions", Statistics &
Probability Letters 33:291-297, on the 1990 census. Cuts, categories and the averages of 5.4 rooms
and 3 people a household: the widely used table made from it (scikit-learn's description of
"California housing"; ocean_proximity was added by Geron 2017). The weights are ours, chosen so
that averages, spreads, correlations and model scores come near those of the published table. No
row of it is read or copied.
"""

import california
import numpy as np
import numpy.typing as npt
import pandas as pd

Reals = npt.NDArray[np.float64]

SEED = 1990  # one of those whose 2,000 blocks lie close to the averages of the model
BLOCKS = 2000
MISSING_SHARE = 0.01  # of total_bedrooms

# The published table is cut here: a value at an end means "this, or beyond".
AGE_RANGE = (1.0, 52.0)  # years
INCOME_RANGE = (0.4999, 15.0001)  # ten thousand dollars a year
VALUE_RANGE = (14999.0, 500001.0)  # dollars

WAVES = 60  # of which a field is made
SEA_KM, BAY_KM, HOUR_KM = 6.0, 10.0, 50.0  # how far the categories of ocean_proximity reach

# Where land is dear: longitude, latitude, premium at the centre (log), reach in km.
DEAR_CENTRES = {
    "San Francisco": (-122.42, 37.79, 0.30, 50.0),
    "Palo Alto": (-122.17, 37.44, 0.70, 22.0),
    "Beverly Hills": (-118.43, 34.07, 1.15, 11.0),
    "the Los Angeles basin": (-118.10, 33.85, 0.20, 45.0),
    "San Diego": (-117.20, 32.85, 0.05, 30.0),
    "Avalon": (-118.33, 33.34, 0.90, 5.0),
}


def simulate() -> pd.DataFrame:
    """Draw the whole table; the same on every call."""
    return draw_table(np.random.default_rng(SEED), BLOCKS)[0]


def simulate_later(seed: int, blocks: int) -> pd.DataFrame:
    """Draw other blocks of the same land: its fields are those of the table."""
    fields = draw_table(np.random.default_rng(SEED), BLOCKS)[1]
    return draw_table(np.random.default_rng(seed), blocks, fields)[0]


def draw_table(
    rng: np.random.Generator, blocks: int, fields: list[Reals] | None = None
) -> tuple[pd.DataFrame, list[Reals]]:
    """Draw blocks, and the waves of the two fields unless they are given; return both."""
    place = draw_places(rng, blocks)
    longitude, latitude = draw_positions(rng, place)
    age = draw_ages(rng, place)
    wealth = draw_waves(rng) if fields is None else fields[0]
    income = draw_incomes(rng, place, age, read_field(wealth, longitude, latitude))
    dear = draw_waves(rng) if fields is None else fields[1]
    price = log_price(longitude, latitude) + 0.16 * read_field(dear, longitude, latitude)
    counts = draw_counts(rng, place, age, income, price)
    value = draw_values(rng, age, income, price, counts["population"] / counts["households"])
    table = pd.DataFrame(
        {
            "longitude": longitude,
            "latitude": latitude,
            "housing_median_age": age,
            **counts,
            "median_income": income,
            "median_house_value": value,
            "ocean_proximity": name_proximity(longitude, latitude),
        }
    )
    return blank_bedrooms(rng, table), [wealth, dear]


def draw_places(rng: np.random.Generator, blocks: int) -> pd.DataFrame:
    """Share the blocks out among the places by weight, and shuffle them."""
    places = pd.DataFrame(california.PLACES)
    shares = (places["weight"] / places["weight"].sum()).cumsum()
    chosen = np.searchsorted(shares, (np.arange(blocks) + 0.5) / blocks)
    shuffled = chosen[np.argsort(rng.random(blocks))]
    return places.iloc[shuffled].reset_index(drop=True)


def draw_positions(rng: np.random.Generator, place: pd.DataFrame) -> tuple[Reals, Reals]:
    """Walk away from the centre of the place, and again wherever that ended in the water."""
    longitude, latitude = np.zeros(len(place)), np.zeros(len(place))
    while (lost := ~california.on_land(longitude, latitude)).any():
        # One walk in ten is long: to the farms and villages around a town.
        stretch = np.where(rng.random(len(place)) < 0.1, 2.5, 1.0)
        steps = rng.standard_normal((2, len(place))) * place["spread_km"].to_numpy() * stretch
        end = california.walk(place["longitude"].to_numpy(), place["latitude"].to_numpy(), *steps)
        longitude = np.where(lost, np.round(end[0], 2), longitude)
        latitude = np.where(lost, np.round(end[1], 2), latitude)
    return longitude, latitude


def draw_waves(rng: np.random.Generator) -> Reals:
    """Draw the waves of a smooth random surface: length, turn and phase of each, from 0 to 1."""
    return rng.random((WAVES, 3))


def read_field(waves: Reals, longitude: Reals, latitude: Reals) -> Reals:
    """Read a surface of mean 0 and variance 1 at the given points."""
    x, y = california.flatten(longitude, latitude)
    surface = np.zeros(longitude.size)
    for length, turn, phase in waves:
        waves_per_km = 1.0 / (12.0 * 10.0**length)
        direction = 2 * np.pi * turn
        along = x * np.cos(direction) + y * np.sin(direction)
        surface += np.cos(2 * np.pi * (waves_per_km * along + phase))
    surface *= np.sqrt(2 / WAVES)
    return surface


def draw_ages(rng: np.random.Generator, place: pd.DataFrame) -> Reals:
    """Draw the median age of the houses in years."""
    # Old towns have houses of every age, new ones have not had the time.
    change = 0.33 * rng.standard_normal(len(place))
    return cut(np.round(place["house_age"].to_numpy() * (1.0 + change)), AGE_RANGE)


def draw_incomes(rng: np.random.Generator, place: pd.DataFrame, age: Reals, field: Reals) -> Reals:
    """Draw the median income of the households, in ten thousand dollars a year."""
    log_income = np.log(3.55) + place["wealth"].to_numpy() + 0.20 * field + 0.05 * youth(age)
    log_income += 0.36 * rng.standard_normal(len(place))
    return np.round(cut(np.exp(log_income), INCOME_RANGE), 4)


def draw_counts(
    rng: np.random.Generator, place: pd.DataFrame, age: Reals, income: Reals, price: Reals
) -> dict[str, Reals]:
    """Draw households and, from them, homes, rooms, bedrooms and people."""
    # Further out than three standard deviations a block would be a town.
    draws = np.clip(rng.standard_normal((6, len(place))), -3.0, 3.0)
    size, empty, rooms, bedrooms, people, barracks = draws
    households = np.exp(6.02 + 0.24 * youth(age) + 0.53 * size - 0.05 * size**2 + 0.035 * size**3)
    homes = households * (1.0 + place["empty_homes"].to_numpy() * np.exp(0.8 * empty))
    log_rooms = 1.60 + 0.32 * np.log(income / 3.5) + 0.03 * youth(age) - 0.13 * (price - 12.0)
    guests = np.where(barracks > 2.4, 300.0 * np.exp(people), 0.0)
    return {
        "total_rooms": counted(homes * np.exp(log_rooms + 0.16 * rooms)),
        "total_bedrooms": counted(homes * 1.01 * np.exp(0.06 * bedrooms)),
        "population": counted(households * 2.8 * np.exp(0.25 * people) + guests),
        "households": counted(households),
    }


def youth(age: Reals) -> Reals:
    """Give how much newer houses are than usual, in standard deviations."""
    return (29.0 - age) / 12.5


def counted(amounts: Reals) -> Reals:
    """Round to a count of at least one; a float, as in the published table ("880.0")."""
    return np.maximum(np.round(amounts), 1.0)


def log_price(longitude: Reals, latitude: Reals) -> Reals:
    """Give the log price of land: dear by the sea and near great cities, cheap far from both."""
    sea_km = california.km_to_coast(longitude, latitude)
    # The cold coast beyond Mendocino is hardly dearer than the hills behind it.
    warmth = np.clip((40.0 - latitude) / 1.5, 0.2, 1.0)
    commuting = 1.0 / (1.0 + np.exp((sea_km - HOUR_KM) / 8.0))
    price: Reals = 11.51 + warmth * (0.35 * commuting + 0.45 * np.exp(-sea_km / 8.0))
    for *centre, premium, reach_km in DEAR_CENTRES.values():
        distance_km = california.km_to_point(longitude, latitude, *centre)
        price += premium * np.exp(-distance_km / reach_km)
    return price


def draw_values(
    rng: np.random.Generator, age: Reals, income: Reals, price: Reals, people_each: Reals
) -> Reals:
    """Draw the median value of the houses in dollars, in round hundreds but for the cuts."""
    crowding = np.log(people_each / 2.8)
    log_value = price + np.log(0.26 + 0.21 * income) + 0.002 * (age - 29.0) - 0.35 * crowding
    noise = 0.13 * rng.standard_normal(age.size)
    # A view or a famous address adds more than a bad one takes away.
    noise += 0.11 * rng.standard_exponential(age.size)
    return cut(100.0 * np.round(np.exp(log_value + noise) / 100.0), VALUE_RANGE)


def cut(values: Reals, limits: tuple[float, float]) -> Reals:
    """Replace what lies beyond the limits by the limits."""
    return values.clip(limits[0], limits[1])


def name_proximity(longitude: Reals, latitude: Reals) -> npt.NDArray[np.str_]:
    """Name which water is near; the first category that fits counts."""
    island = california.on_island(longitude, latitude)
    bay = california.km_to_bay(longitude, latitude) < BAY_KM
    sea_km = california.km_to_coast(longitude, latitude)
    names = ["ISLAND", "NEAR BAY", "NEAR OCEAN", "<1H OCEAN"]
    return np.select([island, bay, sea_km < SEA_KM, sea_km < HOUR_KM], names, "INLAND")


def blank_bedrooms(rng: np.random.Generator, table: pd.DataFrame) -> pd.DataFrame:
    """Lose some counts of bedrooms."""
    lost = rng.random(len(table)) < MISSING_SHARE
    return table.assign(total_bedrooms=table["total_bedrooms"].mask(lost))
