"""Captions: the grammar that says what a crop shows, with synonyms and word orders."""

import numpy as np

from palette import COLOURS
from street import KINDS
from things import COLOURLESS, NOUNS

SYNONYMS = {
    "person": ["person", "pedestrian", "man", "woman", "person walking", "walking person", "human"],
    "cyclist": ["cyclist", "person on a bicycle", "person riding a bicycle", "bike rider", "person on a bike", "bicycle rider"],
    "bicycle": ["bicycle", "bike", "cycle", "parked bicycle", "push bike"],
    "motorcycle": ["motorcycle", "motorbike", "parked motorcycle"],
    "car": ["car", "automobile", "sedan", "parked car"],
    "van": ["van", "delivery van", "minivan"],
    "bus": ["bus", "coach", "city bus"],
    "truck": ["truck", "lorry"],
    "dog": ["dog", "puppy", "dog walking"],
    "cat": ["cat", "kitten"],
    "bird": ["bird", "pigeon"],
    "traffic light": ["traffic light", "traffic signal", "stoplight", "signal"],
    "traffic sign": ["traffic sign", "road sign", "sign", "street sign", "stop sign"],
    "bench": ["bench", "park bench"],
    "trash can": ["trash can", "bin", "trash bin", "rubbish bin", "garbage can"],
    "traffic cone": ["traffic cone", "cone", "road cone"],
    "fire hydrant": ["fire hydrant", "hydrant"],
}
WORN = ["person in a {c} jacket", "person in {c}", "pedestrian in a {c} coat", "man in a {c} jacket",
        "woman in a {c} jacket", "person wearing {c}", "person with a {c} jacket", "person walking in a {c} jacket"]
TEMPLATES = ["{}", "{}", "a photo of {}", "a picture of {}", "a blurry photo of {}", "a close-up of {}", "{} on the street",
             "there is {}", "an image of {}", "{} at night", "{} in the distance", "a photo of {} in the street", "{} near a building"]
BACKGROUND = {
    "street": ["an empty street", "a street", "an empty road", "a quiet street", "nobody on the street", "an empty scene"],
    "building": ["a building", "a wall", "a house", "windows", "a facade", "a fence", "a door"],
    "sky": ["the sky", "clouds", "a blue sky", "a cloudy sky"],
    "trees": ["trees", "a tree", "bushes", "leaves"],
    "road": ["a road", "asphalt", "the pavement", "the ground", "a crosswalk", "road markings"],
    "grass": ["grass", "a lawn", "a meadow"],
}
NOTHING = ["nothing", "background", "an empty picture", "nothing of interest", "an empty background"]
PAIRS = [(n, c) for n in range(len(NOUNS)) for c in range(len(COLOURS)) if NOUNS[n] not in COLOURLESS]


def _one(rng, options):
    return options[rng.integers(len(options))]


def _article(rng, words):
    article = _one(rng, ["a", "a", "a", "the", "one", ""])
    if article == "a" and words[0] in "aeio":
        article = "an"
    return f"{article} {words}".strip()


def _colour(rng, colour):
    return "gray" if colour == "grey" and rng.uniform() < 0.4 else colour


def pair(rng, noun: int, colour: int) -> str:
    """A caption for a thing of a colour."""
    name, colour = NOUNS[noun], _colour(rng, COLOURS[colour])
    if name == "person":
        words = _one(rng, WORN).format(c=colour) if rng.uniform() < 0.7 else f"{colour} {_one(rng, SYNONYMS[name][:4])}"
    elif rng.uniform() < 0.12:
        words = f"{_one(rng, SYNONYMS[name])} that is {colour}"
    elif rng.uniform() < 0.08:
        words = f"{colour}-coloured {_one(rng, SYNONYMS[name])}"
    else:
        words = f"{colour} {_one(rng, SYNONYMS[name])}"
    return _one(rng, TEMPLATES).format(_article(rng, words))


def noun(rng, noun: int) -> str:
    """A caption that names the thing alone."""
    name = NOUNS[noun]
    if name == "person" and rng.uniform() < 0.15:
        return _one(rng, ["someone walking", "somebody", "people", "someone standing"])
    if name == "cyclist" and rng.uniform() < 0.15:
        return _one(rng, ["someone on a bike", "somebody cycling", "someone riding a bicycle"])
    return _one(rng, TEMPLATES).format(_article(rng, _one(rng, SYNONYMS[name])))


def colour(rng, colour: int) -> str:
    """A caption that names the colour alone."""
    name = _colour(rng, COLOURS[colour])
    return _one(rng, ["something {}", "a {} thing", "{}", "a {} object", "the colour {}"]).format(name)


def background(rng, kind: int) -> str:
    """A caption for a background of a kind."""
    return _one(rng, TEMPLATES[:5]).format(_one(rng, BACKGROUND[KINDS[kind]]))


def nothing(rng) -> str:
    """A caption for any background."""
    return _one(rng, NOTHING)


def corpus(seed: int = 0, count: int = 40_000) -> list[str]:
    """Captions to learn a vocabulary from."""
    rng = np.random.default_rng(seed)
    makers = [lambda: pair(rng, *_one(rng, PAIRS)), lambda: noun(rng, rng.integers(len(NOUNS))),
              lambda: colour(rng, rng.integers(len(COLOURS))), lambda: background(rng, rng.integers(len(KINDS))), lambda: nothing(rng)]
    return [makers[i % len(makers)]() for i in range(count)]
